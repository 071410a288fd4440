"""Templates of the systematic uncertainties, relative to the nominal one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hist
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from taipan.config.model import Observable, Region, Sample, Systematic
from taipan.errors import TaipanError
from taipan.events.variations import NOMINAL, Variation, template_variations
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

_WIDTH, _HEIGHT, _GAP = 5.2, 1.35, 0.12  # of a panel and between rows, in inches
_CLASSES = ("background", "signal")
_NOTES = {"both": "", "mirrored": ", one-sided: mirrored", "averaged": ", symmetrised"}

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
) -> dict[str, Any]:
    """Collect the up and down templates of every systematic that has templates.

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
        it, systematics of which no part is fitted in a region are left out.

    Returns
    -------
    dict
        ``panels``: for each systematic, region of role ``signal`` and class of samples, the sum
        of the ``nominal`` templates with ``nominal_sigma`` (√Σw²), ``up`` and ``down`` as the fit
        takes them. ``sides`` says how: ``both`` as filled; ``mirrored``, a one-sided systematic;
        ``averaged``, nominal ± half the difference of the two. Samples that a systematic does not
        act on enter as they are; data-driven ones as varied with the simulation that is
        subtracted. ``fitted``: ``edges``, ``nominal``, ``up`` and ``down`` of the fit's bins,
        smoothed and pruned; null if no part is fitted.

    Raises
    ------
    TaipanError
        If a variation has no template.
    """
    name, definition = observable
    table = read_table(histogram, name)
    variations: dict[str, list[Variation]] = {}
    for variation in template_variations(systematics, regions):
        if variation.name not in table.variations:
            raise TaipanError(f"histogram of {name}: variation '{variation.name}' is missing")
        variations.setdefault(variation.name.rpartition("_")[0], []).append(variation)
    chosen = [region for region, item in regions.items() if item.role == "signal"]
    panels = [
        {"systematic": systematic, "region": region, "class": role, **content}
        for systematic, directions in variations.items()
        for region in chosen
        for role in _CLASSES
        if (content := _templates(table, samples, role, region, directions)) is not None
    ]
    if model is not None:
        panels = [
            {**panel, "fitted": _fitted(model, samples, panel)}
            for panel in panels
            if model.everything or _fitted(model, samples, panel) is not None
        ]
    return {
        "header": dict(header),
        "observable": name,
        "label": definition.label,
        "unit": definition.unit,
        "edges": list(table.edges),
        "regions": {region: regions[region].label or region for region in chosen},
        "panels": panels,
    }


def _fitted(
    model: FittedModel, samples: Mapping[str, Sample], panel: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Give the sum of a class of samples as fitted, with a systematic's parameters at ±1."""
    owners = model.record["treatment"]["parameters"]
    (channel,) = [c for c in model.workspace["channels"] if c["name"] == panel["region"]]
    total = np.zeros((3, len(channel["samples"][0]["data"])))
    acts = False
    for sample in channel["samples"]:
        # what is subtracted from same-sign data belongs to the estimate, a background
        known = samples.get(sample["name"])
        if ("background" if known is None else known.role) != panel["class"]:
            continue
        sides = np.tile(np.asarray(sample["data"], dtype=np.float64), (3, 1))
        factors = np.ones(3)
        for modifier in sample["modifiers"]:
            if owners.get(modifier["name"]) != panel["systematic"]:
                continue
            acts, data = True, modifier["data"]
            if modifier["type"] == "histosys":
                sides[1:] = data["hi_data"], data["lo_data"]
            else:
                factors[1:] = data["hi"], data["lo"]
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
) -> dict[str, Any] | None:
    names = [name for name, sample in samples.items() if sample.role == role]
    if not names:
        return None
    nominal = np.sum([table.counts(name, region).values for name in names], axis=0)
    variance = np.sum([table.counts(name, region).variances for name in names], axis=0)
    varied = [
        np.sum([_varied(table, samples[name], name, region, item) for name in names], axis=0)
        for item in directions
    ]
    sides, up, down = _sides(nominal, varied, directions[0].systematic)
    return {
        "nominal": nominal.tolist(),
        "nominal_sigma": np.sqrt(variance).tolist(),
        "up": up.tolist(),
        "down": down.tolist(),
        "sides": sides,
    }


def _sides(
    nominal: Array, varied: Sequence[Array], systematic: Systematic
) -> tuple[Sides, Array, Array]:
    """Make two templates of those filled, as the likelihood does sample by sample."""
    if len(varied) == 1:
        return "mirrored", varied[0], 2.0 * nominal - varied[0]
    if not systematic.symmetrize:
        return "both", varied[0], varied[1]
    half = 0.5 * (varied[0] - varied[1])
    return "averaged", nominal + half, nominal - half


def _varied(table: Table, sample: Sample, name: str, region: str, variation: Variation) -> Array:
    driven = sample.estimate == "same_sign" and table.is_filled(name, variation.name)
    label = variation.name if driven or variation.applies(name, region) else NOMINAL
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
        raise TaipanError("systematics: none has templates, there is nothing to draw")
    rows = list(dict.fromkeys(panel["systematic"] for panel in panels))
    columns = list(dict.fromkeys((panel["region"], panel["class"]) for panel in panels))
    figure = new_figure(_WIDTH * len(columns), (_HEIGHT + _GAP) * len(rows) + 1.2)
    grid = figure.add_gridspec(
        len(rows), len(columns), hspace=_GAP / _HEIGHT, wspace=0.2,
        **inch_margins(figure, 0.7, 0.2, 0.55, 0.65),
    )  # fmt: skip
    axes: dict[tuple[int, int], Axes] = {}
    for panel in panels:
        row = rows.index(panel["systematic"])
        column = columns.index((panel["region"], panel["class"]))
        place = figure.add_subplot(grid[row, column])
        _draw_panel(place, np.asarray(numbers["edges"]), panel)
        if row < len(rows) - 1:
            place.tick_params(labelbottom=False)
        else:
            place.set_xlabel(with_unit(numbers["label"], numbers["unit"]))
        axes[row, column] = place
    axes[len(rows) // 2, 0].set_ylabel("Varied / nominal", loc="center")
    figure.legend(
        handles=[
            Line2D([], [], color=UP, label="+1σ"),
            Line2D([], [], color=DOWN, ls="--", label="−1σ"),
            Line2D([], [], color="black", lw=0.6, alpha=0.6, label="as filled"),
            Patch(color="#d0d0d0", label="Stat. uncertainty of nominal"),
        ],
        loc="upper right", ncols=4, borderpad=0.3,
    )  # fmt: skip
    region = ", ".join(numbers["regions"].values())
    add_header(axes[0, 0], axes[0, len(columns) - 1], numbers["header"], region)
    return figure


def _draw_panel(axes: Axes, edges: Array, panel: Mapping[str, Any]) -> None:
    nominal = np.asarray(panel["nominal"])
    band = np.nan_to_num(ratio_to(panel["nominal_sigma"], nominal))
    axes.stairs(1.0 + band, edges, baseline=1.0 - band, fill=True, color="#d0d0d0", lw=0)
    axes.axhline(1.0, color="black", lw=0.6)
    reach = 0.01
    fitted = panel.get("fitted")
    thin = {} if "fitted" not in panel else {"lw": 0.6, "alpha": 0.6}
    for key, colour, line in (("up", UP, "-"), ("down", DOWN, "--")):
        shown = [(panel[key], nominal, edges, thin)]
        if fitted is not None:
            shown.append((fitted[key], np.asarray(fitted["nominal"]), fitted["edges"], {}))
        for values, reference, places, style in shown:
            ratio = ratio_to(values, reference)
            axes.stairs(ratio, places, color=colour, ls=line, baseline=None, **style)
            reach = max(reach, float(np.nanmax(np.abs(ratio - 1.0), initial=0.0)))
    half = 1.25 * reach
    axes.set_ylim(1.0 - half, 1.0 + 1.5 * half)
    axes.set_xlim(edges[0], edges[-1])
    pruned = ", pruned" if "fitted" in panel and fitted is None else ""
    text = f"{panel['systematic']}: {panel['class']}{_NOTES[panel['sides']]}{pruned}"
    axes.text(0.015, 0.93, text, transform=axes.transAxes, va="top", size=8.5)
