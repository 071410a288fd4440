"""Prefit and postfit distributions of the fitted regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from taipan.config.sections.observables import Observable
from taipan.config.sections.plotting import SignalStyle
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.estimates.registry import find_estimate
from taipan.labels import is_score
from taipan.plotting.stack import (
    describe_samples,
    draw_stack,
    is_stacked,
    legend_entries,
    signal_factor,
)
from taipan.plotting.style import (
    add_header,
    find_unit,
    house_style,
    inch_margins,
    make_printable,
    name_data,
    new_figure,
    shrink_to_fit,
    write_estimate,
    write_result,
)

_OUTSIDE = "The first and the last bin hold what lies beyond, too."
_REMARK = {"size": 7, "color": "#444444"}
_LINE = 0.2  # inches of a line of the legend
_WIDE, _NARROW, _HEIGHT = 5.2, 1.9, 4.6  # inches: a distribution, a single bin, both


def fitted_result(result: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Give the result to draw: the observed one, or the expected one of a blinded fit.

    Parameters
    ----------
    result
        File of a fit (``docs/fit.md``).

    Returns
    -------
    tuple
        ``observed`` or ``expected``, and that part of the file.
    """
    kind = "expected" if result["observed"] is None else "observed"
    return kind, result[kind]


def name_regions(regions: Mapping[str, Region], eras: Sequence[str]) -> dict[str, Region]:
    """Give the regions of each data-taking period, named ``<era>_<region>``; as they are if none.

    Parameters
    ----------
    regions
        Those of an era.
    eras
        Names of the eras.
    """
    if not eras:
        return dict(regions)
    return {
        f"{era}_{name}": item.model_copy(update={"label": f"{era}: {item.label or name}"})
        for era in eras
        for name, item in regions.items()
    }


def fit_numbers(
    result: Mapping[str, Any],
    stage: str,
    observable: Observable,
    samples: Mapping[str, Sample],
    regions: Mapping[str, Region],
    header: Mapping[str, Any],
    others: Mapping[str, Observable] | None = None,
    signals: SignalStyle = "auto",
) -> dict[str, Any]:
    """Collect the yields before or after a fit.

    Parameters
    ----------
    result
        File of a fit (``docs/fit.md``).
    stage
        ``prefit`` or ``postfit``.
    observable
        Definition of the fitted observable.
    samples, regions
        Definitions; the order of `samples` is that of the stack, the order of `regions` that of
        the panels.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    others
        Definitions of the observables that regions name as their own.
    signals
        How signals are drawn.

    Returns
    -------
    dict
        ``panels`` with the yields of each region; ``edges_hold_outside`` says that the edge bins
        hold under- and overflow, ``signal`` is the expectation at signal
        strength 1 at both stages, so that a fitted strength below 0 can still be compared.

    Raises
    ------
    TaipanError
        If the fit has a region or sample that the configuration has not.
    """
    kind, fitted = fitted_result(result)
    shown = fitted[stage]
    yields = {
        part: {
            region: _add_subtracted(content["samples"], samples)
            for region, content in fitted[part].items()
        }
        for part in {"prefit", stage}
    }
    for region in shown:
        if region not in regions:
            raise TaipanError(f"fit: '{region}' is not a region ({', '.join(regions)})")
        unknown = set(yields[stage][region]) - set(samples)
        if unknown:
            raise TaipanError(f"fit: '{min(unknown)}' is not a sample ({', '.join(samples)})")
    signal = [name for name, sample in samples.items() if sample.role == "signal"]
    panels = []
    for region, definition in regions.items():
        if region not in shown:
            continue
        content, found = shown[region], yields[stage][region]
        single = len(content["total"]) == 1
        name = definition.choose_observable(result["observable"])
        shown_in = (others or {}).get(definition.observable or "", observable)
        nothing = [0.0] * len(content["total"])
        expected = [yields["prefit"][region].get(name, nothing) for name in signal]
        panels.append(
            {
                "region": region,
                "region_label": definition.label or region,
                "single_bin": single,
                "label": "" if single else shown_in.label,
                "unit": "" if single else shown_in.unit,
                "edges": content["edges"],
                "edges_hold_outside": not (single or is_score(shown_in.quantity or name)),
                "samples": {k: found[k] for k in samples if k in found},
                "signal": np.sum([nothing, *expected], axis=0).tolist(),
                "total": content["total"],
                "total_sigma": content["total_sigma"],
                "data": content["data"] if kind == "observed" else None,
            }
        )
    return {
        "header": dict(header),
        "observable": result["observable"],
        "stage": stage,
        "kind": kind,
        "poi": result["poi"],
        "mu": fitted["mu_hat"] if stage == "postfit" else 1.0,
        "mu_sigma": fitted["sigma"] if stage == "postfit" else None,
        **({"poi_unit": unit} if (unit := find_unit(result, result["poi"])) else {}),
        "samples": describe_samples(samples),
        "signals": signals,
        "panels": panels,
    }


def _add_subtracted(
    yields: Mapping[str, list[float]], samples: Mapping[str, Sample]
) -> dict[str, list[float]]:
    """Add the simulation that is subtracted to the estimated sample it belongs to."""
    found = find_estimate(samples)
    if found is None:
        return dict(yields)
    estimated, method = found
    partners = {f"{name}{method.ending}" for name in samples} & set(yields)
    if not partners:
        return dict(yields)
    shown = {name: values for name, values in yields.items() if name not in partners}
    parts = [yields[name] for name in (estimated, *sorted(partners)) if name in yields]
    return {**shown, estimated: np.sum(parts, axis=0).tolist()}


@house_style()
def fit_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the fitted regions side by side, with a logarithmic axis of events.

    Parameters
    ----------
    numbers
        Of :func:`fit_numbers`.
    """
    panels, samples = numbers["panels"], numbers["samples"]
    expected = float(np.sum(panels[0]["signal"]))
    factor = signal_factor(expected, float(np.sum(panels[0]["total"])) - expected)
    wish = numbers.get("signals", "auto")
    stacked = any(_has_stacked_signal(panel, wish) for panel in panels)
    entries = legend_entries(
        samples,
        f"{numbers['stage'].capitalize()} uncertainty (stat. + syst.)",
        data=name_data(numbers["header"]) if panels[0]["data"] is not None else None,
        signal=f"Signal ({_name_strength(numbers)} = 1) × {factor}"
        if expected > 0.0 and not stacked
        else None,
        stacked=stacked,
    )
    widths = [_NARROW if panel["single_bin"] else _WIDE for panel in panels]
    figure = new_figure(sum(widths) + 0.9 * len(panels), _HEIGHT + 1.5)
    lines = _add_legend(figure, entries)
    top = 0.5 + _LINE * lines
    figure.set_figheight(_HEIGHT + 0.6 + top)
    grid = figure.add_gridspec(
        2, len(panels), height_ratios=(3, 1), width_ratios=widths, hspace=0.05, wspace=0.28,
        **inch_margins(figure, 0.8, 0.2, 0.6, top),
    )  # fmt: skip
    tops = []
    for column, panel in enumerate(panels):
        main, ratio = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column])
        overlay = None
        if any(panel["signal"]) and not stacked:
            overlay = {"yields": panel["signal"], "factor": factor}
        draw_stack(main, ratio, panel, samples, overlay=overlay, stacked=stacked, log=True)
        label = main.text(0.04, 0.965, panel["region_label"], transform=main.transAxes, va="top")
        shrink_to_fit(label, main)
        if panel.get("edges_hold_outside"):
            main.text(0.04, 0.9, _OUTSIDE, transform=main.transAxes, va="top", **_REMARK)
        if panel["single_bin"]:
            ratio.set_xticks([])
            ratio.set_xlabel("Yield", loc="center")
            ratio.set_ylabel("")
            main.set_xticks([])
        tops.append(main)
    add_header(tops[0], tops[-1], numbers["header"], _title(numbers))
    return figure


def _add_legend(figure: Figure, entries: Sequence[Any]) -> int:
    """Write a legend above the panels that is not wider than the figure; give its lines."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    lines = 2
    while True:
        legend = figure.legend(
            handles=entries, loc="upper center", ncols=-(-len(entries) // lines), borderpad=0.2,
            columnspacing=1.4,
        )  # fmt: skip
        make_printable(figure)
        fits = legend.get_window_extent(renderer).width <= 0.94 * figure.bbox.width
        if fits or lines >= len(entries):
            return lines
        legend.remove()
        lines += 1


def _has_stacked_signal(panel: Mapping[str, Any], wish: SignalStyle) -> bool:
    signal = float(np.sum(panel["signal"]))
    return is_stacked(signal, float(np.sum(panel["total"])) - signal, wish)


def _name_strength(numbers: Mapping[str, Any]) -> str:
    return "μ" if numbers["poi"] == "mu" else str(numbers["poi"])


def _title(numbers: Mapping[str, Any]) -> str:
    if numbers["stage"] == "prefit":
        return "Prefit"
    found = write_result(numbers["mu"], numbers["mu_sigma"])
    text = f"${write_estimate(numbers['poi'])} = {found}$"
    text += f" {numbers['poi_unit']}" if "poi_unit" in numbers else ""
    return f"Postfit, {text}" + (", expected (blinded)" if numbers["kind"] == "expected" else "")
