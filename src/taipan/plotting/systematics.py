"""Templates of the systematic uncertainties, relative to the nominal one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import hist
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.events.variations import Variation, template_variations
from taipan.labels import NOMINAL
from taipan.likelihood.table import Sides, Table, read_table
from taipan.plotting.stack import ratio_to
from taipan.plotting.style import (
    DOWN,
    UP,
    add_header,
    house_style,
    inch_margins,
    new_figure,
    with_unit,
)
from taipan.systematics.base import Systematic

_WIDTH, _HEIGHT, _GAP = 5.2, 1.35, 0.12  # of a panel and between rows, in inches
_CLASSES = ("background", "signal")
_NOTES = {
    "both": "",
    "mirrored": ", one-sided: mirrored",
    "averaged": ", symmetrised",
    "rate": ", rate",
}
# Width of the bin of a control region, and of the space before it, in widths of the main axis.
_CONTROL, _SPACE = 0.07, 0.02

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FittedModel:
    """The model of one observable.

    Attributes
    ----------
    workspace, record
        Of :func:`taipan.likelihood.build_workspace`.
    everything
        Show systematics that were pruned, too.
    """

    workspace: Mapping[str, Any]
    record: Mapping[str, Any]
    everything: bool = False


def systematic_numbers(
    histogram: hist.Hist,
    observable: tuple[str, Observable],
    samples: Mapping[str, Sample],
    regions: Mapping[str, Region],
    systematics: Mapping[str, Systematic],
    header: Mapping[str, Any],
    model: FittedModel | None = None,
    others: Mapping[str, tuple[hist.Hist, Observable]] | None = None,
) -> dict[str, Any]:
    """Collect up and down of every systematic: its templates, and what is fitted of it.

    Parameters
    ----------
    histogram
        Axes process, region, variation and the observable; flow bins are folded into the edge
        bins, as in the fit.
    observable
        Name and definition.
    samples, regions, systematics
        Definitions.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    model
        What is fitted, or None to show only the templates as filled. Without ``everything`` in
        it, systematics of which no part is fitted in a region are left out. With a model,
        systematics without templates are shown, too: those that change the yield of samples.

    others
        Observable that regions name as their own → its histogram and definition.

    Returns
    -------
    dict
        ``panels``: for each systematic, fitted region and class of samples, ``edges`` (those in
        ``control`` have one bin, as in the fit), the sum of the ``nominal`` templates with
        ``nominal_sigma`` (√Σw²), ``up`` and ``down`` as the fit takes them. ``sides`` says how:
        ``both`` as filled; ``mirrored``, a one-sided systematic; ``averaged``, nominal ± half the
        difference of the two; ``rate``, nothing was filled, and both are null. Samples that a
        systematic does not act on enter as they are; what is estimated from data as varied with
        the simulation that is subtracted. ``fitted``: ``edges``, ``nominal``, ``up`` and ``down``
        of the fit's bins, smoothed and pruned; null if no part is fitted. ``axes``: label, unit and
        edges of the regions with an observable of their own.

    Raises
    ------
    TaipanError
        If a variation has no template.
    """
    name, definition = observable
    table = read_table(histogram, name)
    variations: dict[str, list[Variation]] = {}
    for variation in template_variations(systematics, samples):
        if variation.name not in table.variations:
            raise TaipanError(f"histogram of {name}: variation '{variation.name}' is missing")
        variations.setdefault(variation.name.rpartition("_")[0], []).append(variation)
    chosen = [name for name, item in regions.items() if item.role in ("signal", "control")]
    single_bins = [region for region in chosen if regions[region].is_single_bin]
    if len(single_bins) == len(chosen):
        single_bins = []  # there is no distribution beside which they could stand
    tables, axes = _own_tables(name, {region: regions[region] for region in chosen}, others or {})
    panels: list[dict[str, Any]] = []
    for systematic in _listed(systematics, variations, model):
        for region in chosen:
            single = regions[region].is_single_bin
            for role in _CLASSES:
                directions = variations.get(systematic, [])
                chosen_table = tables.get(region, table)
                content = _templates(chosen_table, samples, role, region, directions, single)
                if content is not None:
                    place = {"systematic": systematic, "region": region, "class": role}
                    panels.append({**place, **content})
    if model is not None:
        panels = [{**panel, "fitted": _fitted(model, samples, panel)} for panel in panels]
        panels = [p for p in panels if model.everything or p["fitted"] is not None]
    return {
        "header": dict(header),
        "observable": name,
        "label": definition.label,
        "unit": definition.unit,
        "edges": list(table.edges),
        "regions": {region: regions[region].label or region for region in chosen},
        "control": single_bins,
        **({"axes": axes} if axes else {}),
        "panels": panels,
    }


def _own_tables(
    main: str,
    regions: Mapping[str, Region],
    others: Mapping[str, tuple[hist.Hist, Observable]],
) -> tuple[dict[str, Table], dict[str, dict[str, Any]]]:
    """Give table and axis of the regions that name an observable of their own."""
    tables, axes = {}, {}
    for region, item in regions.items():
        observable = item.choose_observable(main)
        if observable == main:
            continue
        if observable not in others:
            raise TaipanError(f"regions.{region}.observable: '{observable}' has no histogram")
        histogram, definition = others[observable]
        tables[region] = table = read_table(histogram, observable)
        axis = {"label": definition.label, "unit": definition.unit}
        axes[region] = {**axis, "edges": list(table.edges)}
    return tables, axes


def _listed(
    systematics: Mapping[str, Systematic],
    variations: Mapping[str, Sequence[Variation]],
    model: FittedModel | None,
) -> list[str]:
    """List the systematics with templates; with a model those that are rates, too."""
    if model is None:
        return list(variations)
    fitted = dict.fromkeys(model.record["treatment"]["parameters"].values())
    listed = [name for name in systematics if name in variations]
    rates = [name for name in systematics if name not in variations and name in fitted]
    # the uncertainty of the factor of an estimate is a rate without an entry
    others = [name for name in fitted if name not in systematics]
    pruned = [name for name in systematics if name not in (*listed, *rates)]
    return [*listed, *rates, *others, *(pruned if model.everything else ())]


def _fitted(
    model: FittedModel, samples: Mapping[str, Sample], panel: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Give the sum of a class of samples as fitted, with a systematic's parameters at ±1."""
    owners = model.record["treatment"]["parameters"]
    (channel,) = [c for c in model.workspace["channels"] if c["name"] == panel["region"]]
    total = np.zeros((3, len(channel["samples"][0]["data"])))
    acts = False
    for sample in channel["samples"]:
        # what is subtracted from data belongs to the estimate, a background
        known = samples.get(sample["name"])
        if ("background" if known is None else known.role) != panel["class"]:
            continue
        sides = np.tile(np.asarray(sample["data"], dtype=np.float64), (3, 1))
        factors = np.ones(3)
        for modifier in sample["modifiers"]:
            if owners.get(modifier["name"]) != panel["systematic"]:
                continue
            # several of them if the systematic is decorrelated
            acts, data = True, modifier["data"]
            if modifier["type"] == "histosys":
                sides[1:] += np.array([data["hi_data"], data["lo_data"]]) - sides[0]
            else:
                factors[1:] *= data["hi"], data["lo"]
        total += sides * factors[:, None]
    if not acts:
        return None
    nominal, up, down = total.tolist()
    edges = list(model.record["regions"][panel["region"]]["edges_after"])
    return {"edges": edges, "nominal": nominal, "up": up, "down": down}


def _templates(
    table: Table,
    samples: Mapping[str, Sample],
    role: str,
    region: str,
    directions: Sequence[Variation],
    single: bool,
) -> dict[str, Any] | None:
    """Give the templates as filled; without `directions` the nominal one; `single`: in one bin."""
    names = [name for name, sample in samples.items() if sample.role == role]
    if not names:
        return None

    def bins(values: Array) -> Array:
        return values.sum(keepdims=True) if single else values

    nominal = bins(np.sum([table.counts(name, region).values for name in names], axis=0))
    variance = bins(np.sum([table.counts(name, region).variances for name in names], axis=0))
    varied = [
        bins(np.sum([_varied(table, samples[name], name, region, item) for name in names], axis=0))
        for item in directions
    ]
    sides: Sides | Literal["rate"] = "rate"
    up = down = None
    if directions:
        sides, up, down = _sides(nominal, varied, directions[0].systematic)
    return {
        "edges": [table.edges[0], table.edges[-1]] if single else list(table.edges),
        "nominal": nominal.tolist(),
        "nominal_sigma": np.sqrt(variance).tolist(),
        "up": None if up is None else up.tolist(),
        "down": None if down is None else down.tolist(),
        "sides": sides,
    }


def _sides(
    nominal: Array, varied: Sequence[Array], systematic: Systematic
) -> tuple[Sides, Array, Array]:
    """Make two templates of those filled, as the likelihood does sample by sample."""
    if len(varied) == 1:
        return "mirrored", varied[0], 2.0 * nominal - varied[0]
    if not systematic.is_averaged:
        return "both", varied[0], varied[1]
    half = 0.5 * (varied[0] - varied[1])
    return "averaged", nominal + half, nominal - half


def _varied(table: Table, sample: Sample, name: str, region: str, variation: Variation) -> Array:
    estimated = not sample.is_simulated and table.is_filled(name, variation.name)
    label = variation.name if estimated or variation.applies(name, region) else NOMINAL
    return table.counts(name, region, label).values


@house_style()
def systematic_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw up and down over nominal: a row a systematic, a column a region and class.

    Parameters
    ----------
    numbers
        Of :func:`systematic_numbers`.

    Raises
    ------
    TaipanError
        If there is no systematic with templates.
    """
    panels = numbers["panels"]
    if not panels:
        raise TaipanError("systematics: none acts on a template, there is nothing to draw")
    control = numbers["control"]
    rows = list(dict.fromkeys(panel["systematic"] for panel in panels))
    columns = [
        (region, role)
        for region in numbers["regions"]
        for role in _CLASSES
        if region not in control
    ]
    shown = _place_panels(panels, columns, control)
    columns = [place for place in columns if any((row, *place) in shown for row in rows)]
    figure = new_figure(_WIDTH * len(columns), (_HEIGHT + _GAP) * len(rows) + 1.2)
    grid = figure.add_gridspec(
        len(rows), len(columns), hspace=_GAP / _HEIGHT, wspace=0.2,
        **inch_margins(figure, 0.7, 0.2, 0.55 + 0.15 * len(control), 0.65),
    )  # fmt: skip
    own = numbers.get("axes", {})
    for i, row in enumerate(rows):
        for j, place in enumerate(columns):
            axes = figure.add_subplot(grid[i, j])
            shape = own.get(place[0], numbers)
            _draw_panels(axes, np.asarray(shape["edges"]), shown.get((row, *place), []), control)
            if (row, *place) not in shown:
                axes.tick_params(labelleft=False)
                text = f"{row}: {place[1]}, no effect"
                axes.text(0.015, 0.93, text, transform=axes.transAxes, va="top", size=8.5)
            axes.tick_params(labelbottom=i == len(rows) - 1)
            if i == len(rows) - 1:
                axes.set_xlabel(with_unit(shape["label"], shape["unit"]))
            if (i, j) == (len(rows) // 2, 0):
                axes.set_ylabel("Varied / nominal", loc="center")
    figure.legend(
        handles=[
            Line2D([], [], color=UP, label="+1σ"),
            Line2D([], [], color=DOWN, ls="--", label="−1σ"),
            Line2D([], [], color="black", lw=0.6, alpha=0.6, label="as filled"),
            Patch(color="#d0d0d0", label="Stat. uncertainty of nominal"),
        ],
        loc="upper right", ncols=4, borderpad=0.3,
    )  # fmt: skip
    region = ", ".join(label for name, label in numbers["regions"].items() if name not in control)
    add_header(figure.axes[0], figure.axes[len(columns) - 1], numbers["header"], region)
    return figure


def _place_panels(
    panels: Sequence[Mapping[str, Any]],
    columns: Sequence[tuple[str, str]],
    control: Sequence[str],
) -> dict[tuple[str, str, str], list[Mapping[str, Any]]]:
    """Give the panels of each row and column; control regions stand beside the first region."""
    home = columns[0][0]
    placed: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for panel in panels:
        region = home if panel["region"] in control else panel["region"]
        placed.setdefault((panel["systematic"], region, panel["class"]), []).append(panel)
    return placed


def _draw_panels(
    axes: Axes, edges: Array, panels: Sequence[Mapping[str, Any]], control: Sequence[str]
) -> None:
    """Draw the bins of a signal region and, at their right, one for each control region."""
    low, span = float(edges[0]), float(edges[-1] - edges[0])
    reach, ticks, names = 0.01, [], []
    for j, region in enumerate(control):
        start = low + span * (1.0 + _SPACE + j * (_CONTROL + _SPACE))
        axes.axvline(start - 0.5 * _SPACE * span, color="black", lw=0.4, ls=":")
        ticks.append(start + 0.5 * _CONTROL * span)
        names.append(region)
    end = low + span * (1.0 + len(control) * (_CONTROL + _SPACE))
    axes.axhline(1.0, color="black", lw=0.6)
    for panel in panels:
        region, bins = panel["region"], np.asarray(panel["edges"])
        fitted = panel.get("fitted")
        fit_bins = None if fitted is None else np.asarray(fitted["edges"])
        if region in control:
            centre = ticks[names.index(region)]
            bins = centre + np.array([-0.5, 0.5]) * _CONTROL * span
            fit_bins = None if fitted is None else bins
        reach = max(reach, _draw_bins(axes, panel, bins, fit_bins))
    half = 1.25 * reach
    axes.set_ylim(1.0 - half, 1.0 + 1.5 * half)
    axes.set_xlim(low, end)
    if control:
        inner = [tick for tick in axes.get_xticks() if low <= tick <= edges[-1]]
        # below each other and the numbers
        below = ["\n" * (j + 1) + region for j, region in enumerate(names)]
        axes.set_xticks([*inner, *ticks], [*(f"{tick:g}" for tick in inner), *below])
        axes.minorticks_off()
    if panels:
        first = panels[0]
        dropped = "fitted" in first and all(panel["fitted"] is None for panel in panels)
        text = f"{first['systematic']}: {first['class']}{_NOTES[first['sides']]}"
        text += ", pruned" if dropped else ""
        axes.text(0.015, 0.93, text, transform=axes.transAxes, va="top", size=8.5)


def _draw_bins(axes: Axes, panel: Mapping[str, Any], bins: Array, fit_bins: Array | None) -> float:
    """Draw up and down over nominal, thin as filled and thick as fitted; give their reach."""
    nominal = np.asarray(panel["nominal"])
    band = np.nan_to_num(ratio_to(panel["nominal_sigma"], nominal))
    axes.stairs(1.0 + band, bins, baseline=1.0 - band, fill=True, color="#d0d0d0", lw=0)
    fitted = panel.get("fitted")
    thin = {} if "fitted" not in panel else {"lw": 0.6, "alpha": 0.6}
    reach = 0.0
    for key, colour, line in (("up", UP, "-"), ("down", DOWN, "--")):
        shown = []
        if panel[key] is not None:
            shown.append((panel[key], nominal, bins, thin))
        if fitted is not None and fit_bins is not None:
            shown.append((fitted[key], np.asarray(fitted["nominal"]), fit_bins, {}))
        for values, reference, places, style in shown:
            ratio = ratio_to(values, reference)
            axes.stairs(ratio, places, color=colour, ls=line, baseline=None, **style)
            reach = max(reach, float(np.nanmax(np.abs(ratio - 1.0), initial=0.0)))
    return reach
