"""No text of the configuration becomes code: on the page of the report, in tables, on figures."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from taipan.clean_text import escape_cell, escape_latex, escape_markdown
from taipan.export.tables import to_csv, to_latex
from taipan.report_page import dump_for_script, escape_report

HOSTILE = (
    "</script><script>document.title = 'owned'</script>",
    "</ScRiPt ><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>&lt;/script&gt;",
    "a\u2028b\u2029c",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_in_a_script_element_ends_nothing(text: str) -> None:
    written = dump_for_script({"title": text, text: [text]})
    assert not re.search("[<>&\u2028\u2029]", written)
    assert json.loads(written) == {"title": text, text: [text]}


def test_every_module_of_the_reporter_that_writes_json_is_changed() -> None:
    """Those of Snakemake's version that is installed; another may have more."""
    from snakemake.report import html_reporter
    from snakemake.report.html_reporter.data import categories, results, rules

    changed = escape_report()
    assert len(changed) == 10
    for module in (html_reporter, categories, results, rules):
        assert module.json.dumps("<") == '"\\u003c"'
        assert module.__name__ in changed
    assert json.dumps("<") == '"<"'  # of all others


@pytest.mark.parametrize("text", HOSTILE)
def test_parameters_of_a_job_are_data_on_the_page(text: str) -> None:
    from snakemake.report.html_reporter.data import render_results

    escape_report()
    job = SimpleNamespace(rule=SimpleNamespace(name="summarize"))
    result: Any = SimpleNamespace(
        path=__file__, name=text, filename="f", labels={text: text}, size=1, caption=text,
        mime="text/plain", job=job, wildcards=text, params=f"config={{'title': {text!r}}}",
    )  # fmt: skip
    page = f"<script>var results = {render_results({text: {text: [result]}}, True)};"

    class Parser(html.parser.HTMLParser):
        tags = 0

        def handle_starttag(self, tag: str, _: Any) -> None:
            self.tags += 1

    parser = Parser()
    parser.feed(page + "</script>")
    assert parser.tags == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("H → ττ, 8 TeV & more", "H → ττ, 8 TeV & more"),
        ("m_vis < 30 and mt > 70", "m_vis < 30 and mt > 70"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)>"),
        ("</h1><!-- <?x", "&lt;/h1>&lt;!-- &lt;?x"),
        ("[here](javascript:alert(1))", r"[here\](javascript:alert(1))"),
        ("two\n# lines\x1b[31m", r"two\n# lines\x1b[31m"),
        ("https://a:b@h/", "https://***@h/"),
    ],
)
def test_text_is_no_markup_in_the_summary(text: str, expected: str) -> None:
    assert escape_markdown(text) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3+cmd", "'-2+3+cmd"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\\t=1"),
        ("\r=1", "'\\r=1"),
        (" =1", "' =1"), ("＝1", "'＝1"), ("-", "'-"), ("-1 ± =A1", "'-1 ± =A1"),
        ("-1.5", "-1.5"), ("+0.0123", "+0.0123"), ("1e-3", "1e-3"), ("-12.3 ± 0.4", "-12.3 ± 0.4"),
        ("-inf", "-inf"), ("ttbar", "ttbar"), ("", ""), ("a=b", "a=b"),
    ],
)  # fmt: skip
def test_cell_of_a_table_is_no_formula(cell: str, expected: str) -> None:
    assert escape_cell(cell) == expected
    rows = list(csv.reader(io.StringIO(to_csv([["sample", cell], [cell, "-1.5"]]))))
    assert rows == [["sample", expected], [expected, "-1.5"]]


def test_text_is_printed_by_latex_as_it_is() -> None:
    assert escape_latex(r"\input{/etc/passwd}") == r"\textbackslash{}input\{/etc/passwd\}"
    assert escape_latex("a_b % c & d # e $f$ ~ ^") == (
        r"a\_b \% c \& d \# e \$f\$ \textasciitilde{} \textasciicircum{}"
    )
    assert escape_latex("1.0 ± 0.1 σ\n\x1b") == (
        r"1.0 $\pm$ 0.1 $\sigma$\textbackslash{}n\textbackslash{}x1b"
    )
    table = to_latex([["sample", "signal"], [r"\write18{id}", "1"]])
    assert "\\write18" not in table
    assert table.splitlines()[4] == r"\textbackslash{}write18\{id\} & 1 \\"
