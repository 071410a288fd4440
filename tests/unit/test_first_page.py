"""The first page: whether the result can be trusted, what limits it, and its HTML."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import Any

import pytest

from taipan.atomic import write_json
from taipan.errors import TaipanError
from taipan.report_page import add_first_pages, find_pages
from taipan.summary.details import (
    FitDetails,
    largest_parts,
    select_details,
    show_figures,
    tabulate_breakdown,
    tabulate_impacts,
)
from taipan.summary.opening import judge_trust
from taipan.summary.page import to_page

DETAILS = FitDetails(
    breakdown={"total": 5.0, "statistical": 3.0, "theory": 4.0, "experimental": 0.0},
    impacts=[
        {"name": f"p{i}", "postfit": [0.25 * (7 - i), -0.5 * (7 - i)], "prefit": None}
        for i in range(7)
    ],
    figures=["plots/postfit_m.png", "plots/impacts_m.png"],
)


def summary(**changes: Any) -> dict[str, Any]:
    good = {
        "gates": {"a": {"passed": True}, "b": {"passed": True}},
        "observable": "m",
        "observed": {"goodness": {"p_value": 0.4}},
        "pseudo_data": False,
        "warnings": [],
    }
    return {**good, **changes}


def test_trust_names_every_check() -> None:
    assert judge_trust(summary()) == (
        "No check speaks against it: all 2 gates passed; the fit describes the data (p = 0.4); how "
        "often intervals hold the truth was not measured in this run; no warnings."
    )
    measured = judge_trust(summary(calibration={"coverage": {"calibrated": 0.69}}, warnings=["w"]))
    assert measured.endswith("69 % of the calibrated intervals held the truth; 1 warning.")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gates": {"a": {"passed": False}, "b": {"passed": True}}}, "**1 of 2 gates failed** (a)"),
        (
            {"observed": {"goodness": {"p_value": 0.049}}},
            "**describes the data badly** (p = 0.049)",
        ),
        ({"warnings": ["m: observed fit has mu at a bound"]}, "**a parameter is at its bound**"),
    ],
)
def test_one_bad_check_is_enough_for_a_closer_look(changes: dict[str, Any], words: str) -> None:
    text = judge_trust(summary(**changes))
    assert text.startswith("**Not without a closer look**: ")
    assert words in text


def test_what_has_no_data_is_not_compared_with_them() -> None:
    """A fit of pseudo-data to what made them always agrees; that says nothing."""
    text = judge_trust(summary(pseudo_data=True, gates={}))
    assert "no data to compare with" in text
    assert "no gate" in text
    assert "describes" not in text
    assert "describes" not in judge_trust(summary(observed=None))


def test_parts_of_the_uncertainty_are_shares_of_its_square() -> None:
    """3² + 4² = 5²: 36 % and 64 %."""
    assert largest_parts(DETAILS) == [("theory", 4.0), ("statistical", 3.0)]
    words, table = tabulate_breakdown(DETAILS, " pb")
    assert "their squares add up" in words
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
    assert cells[0] == ["group", "σ (pb)", "share of σ²"]
    assert cells[2:] == [
        ["theory", "4.00", "64 %"],
        ["statistical", "3.00", "36 %"],
        ["experimental", "0.00", "0 %"],
        ["total", "5.00", "100 %"],
    ]
    assert tabulate_breakdown(FitDetails({}, ()), "") == []


def test_five_largest_impacts_are_shown_with_their_signs() -> None:
    words, table = tabulate_impacts(DETAILS, "")
    assert "2 more" in words
    assert len(table.splitlines()) == 2 + 5
    assert [cell.strip() for cell in table.splitlines()[2].split("|")[1:-1]] == [
        "p0", "+1.75", "-3.50",
    ]  # fmt: skip
    assert tabulate_impacts(FitDetails({}, ()), "") == []


def test_a_blinded_fit_shows_what_is_expected(tmp_path: Path) -> None:
    fit = {"expected": {"breakdown": {"total": 2.0}, "impacts": []}, "observed": None}
    details = select_details(fit, [str(tmp_path / "plots/postfit_m.png")], tmp_path)
    assert details.breakdown == {"total": 2.0}
    assert details.figures == ["plots/postfit_m.png"]
    assert show_figures(details, "postfit") == [
        "![Data and prediction after the fit, in every fitted region, with their ratio]"
        "(plots/postfit_m.png)"
    ]
    assert show_figures(details, "impacts") == []


MARKDOWN = """# A < B

What was measured: **μ = 1** of `x`.

Can I trust it? No <script>alert(1)</script>.

## Yields & more

| a   |   b |
| --- | --: |
| x   | 1.5 |
| <b> |   2 |

![Data "after" it](plots/p.png)

- one
- two
"""


def test_page_holds_everything_and_text_stays_text(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/p.png").write_bytes(b"picture")
    page = to_page(MARKDOWN, tmp_path)
    assert "<title>A &lt; B</title>" in page
    assert (
        "<p><strong>What was measured:</strong> <strong>μ = 1</strong> of <code>x</code>.</p>"
        in page
    )
    assert "<strong>Can I trust it?</strong> No &lt;script&gt;alert(1)&lt;/script&gt;." in page
    assert '<a href="#yields-more">Yields &amp; more</a>' in page
    assert '<h2 id="yields-more">Yields &amp; more</h2>' in page
    assert "<tr><td>x</td><td>1.5</td></tr><tr><td>&lt;b&gt;</td><td>2</td></tr>" in page
    assert page.count('<button type="button">') == 2
    content = base64.b64encode(b"picture").decode()
    assert f'<img alt="Data &quot;after&quot; it" src="data:image/png;base64,{content}">' in page
    assert "<ul><li>one</li><li>two</li></ul>" in page
    assert not re.search(r"(src|href)=.https?:", page)
    with pytest.raises(TaipanError, match=r"cannot read .*plots/p\.png"):
        to_page(MARKDOWN, tmp_path / "elsewhere")


REPORT = "<html><head><title>Snakemake Report</title></head><body><div id=app></div></body>"


def test_report_opens_with_the_page_and_its_title() -> None:
    found = add_first_pages(REPORT, {"Result": '<title>A "B"</title><p>result</p>'})
    assert '<title>A "B"</title>' in found
    assert found.index("srcdoc=") < found.index("<div id=app>")
    inside = re.search(r'srcdoc="([^"]*)"', found)
    assert inside is not None
    assert html.unescape(inside[1]) == '<title>A "B"</title><p>result</p>'
    assert add_first_pages(REPORT, {}) == REPORT


def test_report_opens_with_the_certificate_of_the_same_result(tmp_path: Path) -> None:
    page = tmp_path / "summary.html"
    page.write_text("<title>T</title>result", encoding="utf-8")
    (tmp_path / "certificate.html").write_text("<title>C</title>red", encoding="utf-8")
    write_json(tmp_path / "summary.json", {"result_sha256": "a"})
    write_json(tmp_path / "certificate.json", {"result_sha256": "b"})
    assert list(find_pages(page)) == ["Result"]  # of another result
    write_json(tmp_path / "certificate.json", {"result_sha256": "a"})
    pages = find_pages(page)
    assert list(pages) == ["Certificate", "Result"]
    found = add_first_pages(REPORT, pages)
    assert found.index("red") < found.index("result")
    assert re.findall(r"srcdoc=\"[^\"]*\"( hidden)?>", found) == ["", " hidden"]
    assert "<title>T</title>" in found  # that of the summary
    assert re.findall(r"turnPage\((\d)\)\">([^<]*)<", found) == [
        ("0", "Certificate"), ("1", "Result"), ("2", "All figures and stages")
    ]  # fmt: skip
    page.unlink()
    assert list(find_pages(page)) == ["Certificate"]
