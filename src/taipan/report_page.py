r"""The page of Snakemake's report, in which no text of the configuration may become code.

Snakemake writes the parameters, paths and labels of the jobs as JSON into ``<script>`` elements of
the page. A text with ``</script>`` ends the element, and what follows is HTML. In JSON these
characters can be written as ``\u003c``, which means the same and ends nothing.

The page opens on the result: :func:`open_with` puts the summary before the stages.
"""

from __future__ import annotations

import html
import json
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

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
.taipan-turn { position: fixed; z-index: 1001; top: .5rem; right: 1.5rem; padding: .3rem .8rem;
  font: 15px system-ui, sans-serif; color: #fff; background: #1d5fa8; border-radius: .3rem; }
.taipan-turn:focus-visible { outline: 3px solid #000; outline-offset: 2px; }
</style>
<div id="first-page"><iframe title="Result" srcdoc="PAGE"></iframe></div>
<button class="taipan-turn" type="button" aria-controls="first-page"
  onclick="const page = document.getElementById('first-page'); page.hidden = !page.hidden;
  this.textContent = page.hidden ? 'Result' : 'All figures and stages';">
All figures and stages</button>
"""


def add_first_page(report: str, page: str) -> str:
    """Put a page before the stages of a report; a button turns it over.

    Parameters
    ----------
    report
        HTML of Snakemake's report.
    page
        HTML of the summary, whose title the report takes.
    """
    title = re.search(r"<title>.*?</title>", page, re.DOTALL)
    if title is not None:
        report = report.replace("<title>Snakemake Report</title>", title[0], 1)
    first = _FIRST.replace("PAGE", html.escape(page), 1)
    head, tag, rest = report.partition("<body>")
    return f"{head}{tag}{first}{rest}" if tag else report


def open_with(page: str) -> None:
    """Let the report of this process open with a page, if that is there when it is made.

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
        if path.suffix == ".html" and Path(page).exists():
            report = add_first_page(
                path.read_text(encoding="utf-8"), Path(page).read_text(encoding="utf-8")
            )
            path.write_text(report, encoding="utf-8")

    render_with_page.of_snakemake = render  # type: ignore[attr-defined]
    reporter.render = render_with_page
