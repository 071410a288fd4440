r"""The page of Snakemake's report, in which no text of the configuration may become code.

Snakemake writes the parameters, paths and labels of the jobs as JSON into ``<script>`` elements of
the page. A text with ``</script>`` ends the element, and what follows is HTML. In JSON these
characters can be written as ``\u003c``, which means the same and ends nothing.

The page opens on the result: :func:`open_with` puts certificate and summary before the stages.
"""

from __future__ import annotations

import html
import json
import pkgutil
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from taipan.atomic import read_json

_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_REPORTER = "snakemake.report.html_reporter"


def dump_for_script(content: Any, **options: Any) -> str:
    """Write JSON that may stand in a ``<script>`` element; arguments as of ``json.dumps``."""
    return json.dumps(content, **options).translate(_ESCAPED)


class _ScriptJson(ModuleType):
    """The module ``json``, except that what it writes may stand in a ``<script>`` element."""

    def __init__(self) -> None:
        super().__init__("json")
        self.__dict__.update(vars(json), dumps=dump_for_script)


def escape_report() -> list[str]:
    """Make Snakemake's reporter, in this process, write its JSON with :func:`dump_for_script`.

    Returns
    -------
    list of str
        Modules of the reporter that write JSON.
    """
    reporter = import_module(_REPORTER)
    names = [_REPORTER, f"{_REPORTER}.data"]
    names += [f"{_REPORTER}.data.{m.name}" for m in pkgutil.iter_modules(reporter.data.__path__)]
    changed = []
    for name in names:
        module: Any = import_module(name)
        if isinstance(getattr(module, "json", None), ModuleType):
            module.json = _ScriptJson()
            changed.append(name)
    return changed


_FIRST = """
<style>
#first-page { position: fixed; inset: 0; z-index: 1000; background: #fff; }
#first-page[hidden] { display: none; }
#first-page iframe { border: 0; width: 100%; height: 100%; padding-top: 3rem; }
#first-page iframe[hidden] { display: none; }
.taipan-turn { position: fixed; z-index: 1001; top: .5rem; right: 1.5rem; }
.taipan-turn button { padding: .3rem .8rem; margin-left: .4rem; cursor: pointer; border: 0;
  font: 15px system-ui, sans-serif; color: #fff; background: #1d5fa8; border-radius: .3rem; }
.taipan-turn button:focus-visible { outline: 3px solid #000; outline-offset: 2px; }
</style>
<div id="first-page">FRAMES</div>
<script>
function turnPage(number) {
  const frames = document.querySelectorAll("#first-page iframe");
  frames.forEach((frame, i) => { frame.hidden = i !== number; });
  document.getElementById("first-page").hidden = number >= frames.length;
}
</script>
<nav class="taipan-turn">BUTTONS</nav>
"""
_FRAME = '<iframe title="{title}" srcdoc="{page}"{hidden}></iframe>'
_BUTTON = """<button type="button" aria-controls="first-page"
  onclick="turnPage({number})">{title}</button>"""


def add_first_pages(report: str, pages: Mapping[str, str]) -> str:
    """Put pages before the stages of a report; buttons turn them over.

    Parameters
    ----------
    report
        HTML of Snakemake's report.
    pages
        Title of the button → HTML. The report opens with the first, and takes the title of the
        last, the summary.
    """
    if not pages:
        return report
    title = re.search(r"<title>.*?</title>", list(pages.values())[-1], re.DOTALL)
    if title is not None:
        report = report.replace("<title>Snakemake Report</title>", title[0], 1)
    frames = [
        _FRAME.format(title=name, page=html.escape(page), hidden=" hidden" if number else "")
        for number, (name, page) in enumerate(pages.items())
    ]
    names = [*pages, "All figures and stages"]
    buttons = [_BUTTON.format(number=number, title=name) for number, name in enumerate(names)]
    first = _FIRST.replace("BUTTONS", "\n".join(buttons), 1).replace("FRAMES", "".join(frames), 1)
    head, tag, rest = report.partition("<body>")
    return f"{head}{tag}{first}{rest}" if tag else report


def open_with(page: str) -> None:
    """Let the report of this process open with a page, if that is there when it is made.

    A certificate of the same result stands before it.

    Parameters
    ----------
    page
        HTML file of the rule `summarize`.
    """
    reporter: Any = import_module(_REPORTER).Reporter
    render = getattr(reporter.render, "of_snakemake", reporter.render)

    def render_with_page(self: Any) -> None:
        render(self)
        path = Path(self.settings.path)
        if path.suffix == ".html":
            report = path.read_text(encoding="utf-8")
            path.write_text(add_first_pages(report, find_pages(Path(page))), encoding="utf-8")

    render_with_page.of_snakemake = render  # type: ignore[attr-defined]
    reporter.render = render_with_page


def find_pages(page: Path) -> dict[str, str]:
    """Find the pages that a report opens with: certificate and summary, as far as they are there.

    Parameters
    ----------
    page
        HTML file of the summary. A certificate of another result than the ``summary.json`` beside
        it is left out.
    """
    found = {}
    certificate, verdict = page.with_name("certificate.html"), page.with_name("certificate.json")
    summary = page.with_name("summary.json")
    if certificate.exists() and verdict.exists() and summary.exists():
        certified, now = read_json(verdict), read_json(summary)
        if certified.get("result_sha256") == now.get("result_sha256"):
            found["Certificate"] = certificate.read_text(encoding="utf-8")
    if page.exists():
        found["Result"] = page.read_text(encoding="utf-8")
    return found
