"""What a summary shows of the main fit beside its results: figures, impacts, groups."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.clean_text import escape_markdown
from taipan.summary.layout import ABSENT, format_table
from taipan.summary.words import write_limit

_SHOWN_IMPACTS = 5
_TITLES = {
    "postfit": "Data and prediction after the fit, in every fitted region, with their ratio",
    "spectra": "Unfolded spectra over their predictions",
    "impacts": "Impacts and pulls of the parameters, the largest impact on top",
    "breakdown": "Parts of the uncertainty, by group of systematics",
}


@dataclass(frozen=True)
class FitDetails:
    """Parts of the main fit that ``summary.json`` leaves in the file of the fit.

    Attributes
    ----------
    breakdown
        Group of systematics → its part of the uncertainty of the parameter of interest, in the
        unit of the parameter; ``total`` and ``statistical`` are beside them.
    impacts
        ``name`` and ``postfit`` (change at +1σ and −1σ, in the same unit), the largest first.
    figures
        Paths of the PNG files on the first page, relative to the summary.
    slides
        Path of the pages for slides, relative to the summary; empty if there are none.
    """

    breakdown: Mapping[str, float]
    impacts: Sequence[Mapping[str, Any]]
    figures: Sequence[str] = ()
    slides: str = ""


def select_details(
    fit: Mapping[str, Any],
    figures: Sequence[str] = (),
    folder: Path | str = ".",
    slides: Path | str | None = None,
) -> FitDetails:
    """Take what the first page shows of the main fit.

    Parameters
    ----------
    fit
        Result of :func:`taipan.inference.run_inference`; a blinded one gives what is expected.
    figures
        PNG files.
    folder
        Folder of the summary.
    slides
        PDF file with pages for slides.
    """
    found = fit["expected" if fit["observed"] is None else "observed"]
    return FitDetails(
        breakdown=found.get("breakdown", {}),
        impacts=found.get("impacts", ()),
        figures=[os.path.relpath(path, folder) for path in figures],
        slides="" if slides is None else os.path.relpath(slides, folder),
    )


def largest_parts(details: FitDetails, count: int = 2) -> list[tuple[str, float]]:
    """List the largest parts of the uncertainty, with their sizes."""
    parts = [(name, size) for name, size in details.breakdown.items() if name != "total"]
    return sorted(parts, key=lambda item: -item[1])[:count]


def link_slides(path: str) -> str:
    """Write where the pages for slides are, as Markdown."""
    return f"For slides: [{path}]({path})"


def show_figures(details: FitDetails, *kinds: str) -> list[str]:
    """Write the figures of some kinds (``postfit``) as Markdown, each with a text that says it."""
    return [
        f"![{_TITLES[kind]}]({path})"
        for kind in kinds
        for path in details.figures
        if Path(path).name.startswith(f"{kind}_")
    ]


def tabulate_impacts(details: FitDetails, unit: str) -> list[str]:
    """Write the largest impacts; nothing without impacts."""
    shown = [
        [escape_markdown(item["name"]), *(_signed(change) for change in item["postfit"])]
        for item in details.impacts[:_SHOWN_IMPACTS]
    ]
    if not shown:
        return []
    rest = len(details.impacts) - len(shown)
    more = f" {rest} more are in the figure and in the file of the fit." if rest > 0 else ""
    return [
        "How far the result moves when one parameter is held 1σ above or below its estimate"
        f"{unit and f', in{unit}'}.{more}",
        format_table(["parameter", "+1σ", "−1σ"], shown),
    ]


def tabulate_breakdown(details: FitDetails, unit: str) -> list[str]:
    """Write the part of each group in the uncertainty; nothing without a breakdown."""
    total = details.breakdown.get("total", 0.0)
    if not total > 0.0:
        return []
    parts = largest_parts(details, len(details.breakdown))
    rows = [
        [escape_markdown(name), write_limit(size), f"{100 * (size / total) ** 2:.0f} %"]
        for name, size in [*parts, ("total", total)]
    ]
    return [
        "Part of each group of systematics in the uncertainty; their squares add up to that of "
        "the total, but for correlations between groups.",
        format_table(["group", f"σ{unit and f' ({unit.strip()})'}", "share of σ²"], rows),
    ]


def _signed(change: float | None) -> str:
    if change is None:
        return ABSENT
    return ("+" if change >= 0.0 else "-") + write_limit(abs(change))
