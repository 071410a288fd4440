"""Pages for slides: a title page, what the checks say, and the main figures, as one PDF file."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from taipan.atomic import replacing
from taipan.plotting.style import UP, house_style, make_printable, new_figure

_WIDTH, _HEIGHT = 13.33, 7.5  # inches, 16:9
_LEFT = 0.06  # of the width
_LINE = 0.042  # of the height
_ROOM = 0.66  # of the height, for sentences
_COLUMNS = 105  # letters
_MOST_WARNINGS = 6
_PASSED = "#2a7f3f"


def slide_numbers(summary: Mapping[str, Any], opening: Sequence[str]) -> dict[str, Any]:
    """Collect what stands on the first two pages.

    Parameters
    ----------
    summary
        Content of ``summary.json``.
    opening
        First paragraphs of ``summary.md``, in Markdown.

    Returns
    -------
    dict
        ``title``, ``about`` (analysis, catalogue and luminosity), ``sentences``, ``gates`` (name →
        whether it passed) and ``warnings``.
    """
    luminosity = f"{summary['luminosity']:g} fb$^{{-1}}$"
    return {
        "title": summary["title"],
        "about": f"{summary['analysis']} on {summary['catalogue']}, {luminosity}",
        "sentences": [_plain(text) for text in opening],
        "gates": {name: bool(gate["passed"]) for name, gate in summary["gates"].items()},
        "warnings": list(summary["warnings"]),
    }


def _plain(markdown: str) -> str:
    """Take the marks of Markdown out of a paragraph."""
    for mark in ("**", "`"):
        markdown = markdown.replace(mark, "")
    return html.unescape(markdown.replace(r"\]", "]"))


@house_style()
def title_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the title page: what was measured, how well, and whether to trust it.

    Parameters
    ----------
    numbers
        Of :func:`slide_numbers`.
    """
    figure = new_figure(_WIDTH, _HEIGHT)
    size = min(28.0, 28.0 * 45 / max(len(numbers["title"]), 1))
    figure.text(_LEFT, 0.84, numbers["title"], size=size, weight="bold")
    figure.text(_LEFT, 0.78, numbers["about"], size=15, color="#444444")
    lines = []
    for sentence in numbers["sentences"]:
        first, *more = textwrap.wrap(sentence, _COLUMNS) or [""]
        lines += [(first, 1.5), *((line, 1.0) for line in more)]
    step = min(_LINE, _ROOM / max(sum(size for _, size in lines), 1.0))
    place = 0.7
    for line, space in lines:
        place -= (space - 1.0) * step
        indent = _LEFT + (0.0 if space > 1.0 else 0.015)
        figure.text(indent, place, line, size=14 * step / _LINE, va="top")
        place -= step
    return figure


@house_style()
def checks_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the verdicts of the gates and the warnings of a run.

    Parameters
    ----------
    numbers
        Of :func:`slide_numbers`.
    """
    figure = new_figure(_WIDTH, _HEIGHT)
    figure.text(_LEFT, 0.88, "Gates and warnings", size=22, weight="bold")
    place = 0.79
    if not numbers["gates"]:
        figure.text(_LEFT, place, "No network is trained, so there is no gate.", size=14)
        place -= 1.3 * _LINE
    for name, passed in numbers["gates"].items():
        figure.text(_LEFT, place, name, size=14)
        word, colour = ("passed", _PASSED) if passed else ("failed", UP)
        figure.text(0.4, place, word, size=14, color=colour, weight="bold")
        place -= 1.3 * _LINE
    place -= _LINE
    lines = _list_warnings(numbers["warnings"])
    step = min(0.85 * _LINE, (place - 0.03) / len(lines))
    for line in lines:
        figure.text(_LEFT, place, line, size=13 * step / _LINE, va="top")
        place -= step
    return figure


def _list_warnings(warnings: Sequence[str]) -> list[str]:
    """Give the first warnings in lines, and how many more there are."""
    if not warnings:
        return ["No warning."]
    lines = []
    for text in warnings[:_MOST_WARNINGS]:
        shown = textwrap.shorten(text, 2 * 150, placeholder=" …")
        lines += textwrap.wrap(shown, 150, initial_indent="• ", subsequent_indent="   ")
    more = len(warnings) - _MOST_WARNINGS
    return [*lines, *([f"{more} more: see summary.md"] if more > 0 else [])]


def save_pages(figures: Sequence[Figure], path: Path | str) -> None:
    """Write figures as the pages of one PDF file; the same figures give the same bytes.

    Raises
    ------
    TaipanError
        If the file cannot be written.
    """
    with (
        house_style(),
        replacing(path) as temporary,
        PdfPages(temporary, metadata={"CreationDate": None}) as pages,
    ):
        for figure in figures:
            make_printable(figure)
            pages.savefig(figure)
