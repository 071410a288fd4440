"""Control plots: data and prediction in one region, before any fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hist
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from taipan.config.model import Config
from taipan.config.sections.observables import Observable
from taipan.config.sections.plotting import SignalStyle
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate, find_estimate
from taipan.labels import DATA, NOMINAL
from taipan.plotting.stack import (
    describe_samples,
    draw_stack,
    is_stacked,
    legend_entries,
    signal_factor,
)
from taipan.plotting.style import add_header, house_style, inch_margins, name_data, new_figure
from taipan.templates.band import find_band_sources, measure_band

_COLUMNS = 4
_WIDTH, _HEIGHT, _GAP = 3.5, 3.15, 0.55  # of a panel and between rows, in inches
_NOTE, _LINE = 0.25, 0.22  # inches for a line below the panels, and above them


def control_numbers(
    histograms: Mapping[str, hist.Hist],
    config: Config,
    region: str,
    header: Mapping[str, Any],
    *,
    estimate: MeasuredEstimate | None = None,
    blinded: bool = False,
) -> dict[str, Any]:
    """Collect what the control plots of one region show.

    Parameters
    ----------
    histograms
        Quantity → histogram with axes process, region, variation and the quantity.
    config
        Sections `samples`, `regions`, `control_plots`, `systematics` and `plotting`; the order of
        the first is that of the stack, the order of the control plots that of the panels.
    region
        Its name.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    estimate
        How a sample is estimated from data; None if all are simulated.
    blinded
        Leave the data out.

    Returns
    -------
    dict
        ``panels`` hold the bins only. ``outside`` counts the events beyond the edges, together
        with those for which the quantity is not defined (a dijet mass without two jets): folding
        them into the last bin would invent a peak. ``total_sigma`` is the uncertainty before any
        fit, of which ``total_stat`` is the statistical part; ``in_band`` and ``not_in_band`` name
        the systematics (:mod:`taipan.templates.band`).

    Raises
    ------
    TaipanError
        If a quantity has no histogram.
    """
    quantities, samples = config.control_plots, config.samples
    missing = [quantity for quantity in quantities if quantity not in histograms]
    known = ", ".join(histograms) or "there are none"
    if missing:
        raise TaipanError(f"control_plots.{missing[0]}: no histogram ({known})")
    sources = find_band_sources(region, config, estimate)
    panels = [
        _panel(
            *(histograms[quantity], quantity, observable, list(samples), region, blinded),
            systematic=measure_band(histograms[quantity], region, config, estimate),
        )
        for quantity, observable in quantities.items()
    ]
    return {
        "header": dict(header),
        "region": {"name": region, "label": config.regions[region].label},
        "samples": describe_samples(samples),
        "signals": config.plotting.signal,
        "uncertainty": "statistical" + (" and systematic" if sources.systematics else ""),
        "in_band": list(sources.systematics),
        "not_in_band": list(sources.left_out),
        **_missing_estimate(samples, region),
        "panels": panels,
    }


def _missing_estimate(samples: Mapping[str, Sample], region: str) -> dict[str, Any]:
    """Name the sample that is taken from data, and not in this region."""
    found = find_estimate(samples)
    if found is None or region in found[1].sources:
        return {}
    return {"not_estimated": found[0]}


def _panel(
    histogram: hist.Hist,
    quantity: str,
    observable: Observable,
    samples: list[str],
    region: str,
    blinded: bool,
    *,
    systematic: NDArray[np.float64],
) -> dict[str, Any]:
    cut = histogram[{"region": hist.loc(region), "variation": hist.loc(NOMINAL)}]
    cells = {name: cut[{"process": hist.loc(name)}] for name in [*samples, DATA]}
    values = {name: np.asarray(cell.values()) for name, cell in cells.items()}
    outside = {
        name: float(cell.values(flow=True).sum() - cell.values().sum())
        for name, cell in cells.items()
    }
    variance = np.sum([cells[name].variances() for name in samples], axis=0)
    return {
        "quantity": quantity,
        "label": observable.label,
        "unit": observable.unit,
        "edges": [float(edge) for edge in observable.binning],
        "samples": {name: values[name].tolist() for name in samples},
        "total": np.sum([values[name] for name in samples], axis=0).tolist(),
        "total_sigma": np.sqrt(variance + np.square(systematic)).tolist(),
        "total_stat": np.sqrt(variance).tolist(),
        "data": None if blinded else values[DATA].tolist(),
        "outside": {
            "prediction": float(np.sum([outside[name] for name in samples])),
            "data": None if blinded else outside[DATA],
        },
    }


@house_style()
def control_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw one region: a stack and a ratio for each quantity.

    Parameters
    ----------
    numbers
        Of :func:`control_numbers`.
    """
    panels, samples = numbers["panels"], numbers["samples"]
    rows = -(-len(panels) // _COLUMNS)
    columns = min(_COLUMNS, len(panels))
    absent = numbers.get("not_estimated")
    signal = [name for name, item in samples.items() if item["role"] == "signal"]
    factor, stacked = _draw_signal(panels, signal, numbers.get("signals", "auto"))
    seen = any(panel["data"] is not None for panel in panels)
    entries = legend_entries(
        {name: item for name, item in samples.items() if name != absent},
        f"{'Stat. + syst.' if numbers.get('in_band') else 'Stat.'} uncertainty",
        data=name_data(numbers["header"]) if seen else None,
        signal=f"Signal × {factor}" if signal and not stacked else None,
        stacked=stacked,
    )
    # a page of four panels has room for all in a line
    lines = 1 if columns == _COLUMNS else -(-len(entries) // (2 * columns))
    notes = _write_notes(numbers)
    below = _NOTE * len(notes)
    above = 0.65 + _LINE * (lines - 1) + (_LINE if columns == 1 else 0.0)
    height = (_HEIGHT + _GAP) * rows + below + above - 0.05
    figure = new_figure(_WIDTH * columns + 0.3, height)
    grid = figure.add_gridspec(
        rows,
        columns,
        hspace=_GAP / _HEIGHT,
        wspace=0.32,
        **inch_margins(figure, 0.7, 0.15, 0.5 + below, above),
    )
    heads = []
    for index, panel in enumerate(panels):
        cell = grid[index // columns, index % columns].subgridspec(
            2, 1, height_ratios=(3, 1), hspace=0.06
        )
        main, ratio = figure.add_subplot(cell[0]), figure.add_subplot(cell[1])
        yields = np.sum([panel["samples"][name] for name in signal], axis=0) if signal else None
        is_line = yields is not None and not stacked
        overlay = {"yields": yields, "factor": factor} if is_line else None
        draw_stack(main, ratio, panel, samples, overlay=overlay, stacked=stacked)
        main.text(
            0.97, 0.95, _outside_text(panel), transform=main.transAxes, ha="right", va="top",
            size=6.5, color="#444444",
        )  # fmt: skip
        heads.append(main)
    figure.legend(
        handles=entries, loc="upper right", ncols=-(-len(entries) // lines), columnspacing=1.2,
        borderpad=0.3,
    )  # fmt: skip
    for line, text in enumerate(reversed(notes)):
        figure.text(0.02, (0.08 + _NOTE * line) / height, text, size=9)
    region = numbers["region"]
    text = (region["label"] or region["name"]) + ("" if seen else ", blinded")
    if columns == 1:  # who and how much fill the line
        place = {"xycoords": "axes fraction", "textcoords": "offset points"}
        heads[0].annotate(text, (0, 1), (0, 5 + 72 * _LINE), **place)
        text = ""
    add_header(heads[0], heads[columns - 1], numbers["header"], text)
    return figure


def _write_notes(numbers: Mapping[str, Any]) -> list[str]:
    """Write the lines below the panels: what is not drawn."""
    notes, absent, left_out = [], numbers.get("not_estimated"), numbers.get("not_in_band")
    if absent is not None:
        label = numbers["samples"][absent]["label"]
        notes.append(f"{label}: not estimated in this region, but in the data")
    if left_out:
        notes.append(f"Not in the band, as only fitted quantities have it: {', '.join(left_out)}")
    return notes


def _draw_signal(
    panels: list[dict[str, Any]], signal: list[str], wish: SignalStyle
) -> tuple[int, bool]:
    """One factor for the page and whether signals are stacked, from the region's total yields."""
    first = panels[0]
    expected = float(np.sum([first["samples"][name] for name in signal])) if signal else 0.0
    background = float(np.sum(first["total"])) - expected
    return signal_factor(expected, background), is_stacked(expected, background, wish)


def _outside_text(panel: Mapping[str, Any]) -> str:
    outside = panel["outside"]
    if not (outside["data"] or abs(outside["prediction"]) >= 0.5):
        return ""
    data = "" if outside["data"] is None else f", data {outside['data']:.0f}"
    prediction = round(outside["prediction"])  # a whole number: none is "-0"
    return f"not shown: predicted {prediction}{data}"
