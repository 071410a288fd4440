"""Templates of the systematic uncertainties beside the nominal one, as filled and as fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.observables import Observable
from taipan.config.sections.region_bins import choose_histogram
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.events.variations import Variation, template_variations
from taipan.labels import NOMINAL, Sides
from taipan.likelihood.table import Table, read_table
from taipan.systematics.base import Systematic

CLASSES_SHOWN = ("background", "signal")

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
        ``both`` and ``denoised`` as filled; ``mirrored``, a one-sided systematic; ``averaged``,
        nominal ± half the difference of the two; ``rate``, nothing was filled, and both are null.
        Samples that a systematic does not act on enter as they are; what is estimated from data as
        varied with the simulation that is subtracted. ``fitted``: ``edges``, ``nominal``, ``up``
        and ``down`` of the fit's bins, smoothed and pruned; null if no part is fitted. ``axes``:
        label, unit and edges of the regions with an observable of their own.

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
    known = regions if model is None else model.record["regions"]
    chosen = [name for name, item in regions.items() if item.is_fitted and name in known]
    single_bins = [region for region in chosen if regions[region].is_single_bin]
    if len(single_bins) == len(chosen):
        single_bins = []  # there is no distribution beside which they could stand
    tables, axes = _own_tables(name, {region: regions[region] for region in chosen}, others or {})
    panels: list[dict[str, Any]] = []
    for systematic in _listed(systematics, variations, model):
        for region in chosen:
            single = regions[region].is_single_bin
            for role in CLASSES_SHOWN:
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
    for region in regions:
        observable = choose_histogram(region, regions, main, others)
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
    if systematic.two_sides != "averaged":
        return systematic.two_sides, varied[0], varied[1]
    half = 0.5 * (varied[0] - varied[1])
    return "averaged", nominal + half, nominal - half


def _varied(table: Table, sample: Sample, name: str, region: str, variation: Variation) -> Array:
    estimated = not sample.is_simulated and table.is_filled(name, variation.name)
    label = variation.name if estimated or variation.applies(name, region) else NOMINAL
    return table.counts(name, region, label).values
