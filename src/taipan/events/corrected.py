"""Corrections of the nominal, applied wherever events are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Columns, CorrectionGroup
from taipan.columns.expressions import parse_expression
from taipan.columns.shifts import Balance, rescale
from taipan.columns.stored import StoredObjects
from taipan.config.model import Config
from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.corrections.base import (
    AS_READ,
    InputNames,
    NominalCorrection,
    OpenedEnergy,
    OpenedWeight,
    Side,
    unchanged,
)
from taipan.corrections.lookup import Evaluated
from taipan.corrections.view import EventView
from taipan.events.selection import region_masks, sample_masks
from taipan.systematics.base import Systematic

Array = NDArray[Any]
NOWHERE = Balance(None, (), None)


@dataclass(frozen=True)
class CorrectionSettings:
    """Where corrections act.

    Attributes
    ----------
    samples, regions
        Definitions; alternative datasets are among those of the samples that they stand for.
    """

    samples: Mapping[str, Sample]
    regions: Mapping[str, Region]


@dataclass(frozen=True)
class OpenedCorrections:
    """All corrections of an analysis, with their files read.

    Attributes
    ----------
    keys
        Name → its keys.
    weights, energies
        Name → what gives factors on weights, and on momenta; in the order of the configuration.
    settings
        Where they act.
    stored
        How objects are selected; None where nobody said.
    known
        Quantities of the analysis.
    """

    keys: Mapping[str, NominalCorrection]
    weights: Mapping[str, OpenedWeight]
    energies: Mapping[str, OpenedEnergy]
    settings: CorrectionSettings
    stored: StoredObjects | None
    known: frozenset[str]
    _views: list[tuple[Any, Any, EventView]] = field(default_factory=list, compare=False)

    def correct_objects(self, columns: Columns, *, is_data: bool) -> Columns:
        """Give the stored columns with the energies of objects corrected.

        What was stored of a column that changes stays beside it, under a name of its own.
        """
        if not self.energies:
            return columns
        corrected = self._chain(columns, {}, is_data=is_data)
        before = {
            f"{name}{AS_READ}": columns[name]
            for name, values in corrected.items()
            if values is not columns[name]
        }
        return {**corrected, **before}

    def change_objects(
        self, name: str, columns: Columns, *, is_data: bool
    ) -> tuple[Columns, Evaluated]:
        """Apply one correction of energies to columns; gives also the factors of its objects."""
        opened = self.energies[name]
        found = opened.change(columns, "apply", is_data=is_data)
        changed = rescale(columns, opened.collection, found.values - 1.0, self._balance)
        return changed, found

    def shift(self, name: str, columns: Columns, pull: float) -> Columns:
        """Give corrected columns with one correction of objects moved by `pull` σ.

        The ratio of the momenta with and without the shift, both made of what was stored, is
        multiplied on the momenta as they are, so that shifts of several sources can be combined.
        """
        if pull == 0.0:
            return columns
        side, size = self._side(name, pull)
        read = {key: columns.get(f"{key}{AS_READ}", values) for key, values in columns.items()}
        momentum = f"{self.energies[name].collection}_pt"
        nominal = self._chain(read, {}, is_data=False)[momentum]
        varied = self._chain(read, {name: side}, is_data=False)[momentum]
        ratio = np.divide(
            varied, nominal, out=np.ones(nominal.shape, np.float64), where=~np.isnan(nominal)
        )
        change = size * (ratio - 1.0)
        return rescale(columns, self.energies[name].collection, change, self._balance)

    def weigh(
        self,
        dataset: str,
        columns: Columns,
        quantities: Columns,
        names: Sequence[str] | None = None,
    ) -> Columns:
        """Give the factor of each correction of weights (of `names`), shape (n,) each."""
        return {
            name: self.evaluate(name, dataset, columns, quantities, "apply").values
            for name in (self.weights if names is None else names)
        }

    def vary(
        self, name: str, dataset: str, columns: Columns, quantities: Columns, pull: float
    ) -> Array:
        """Give the factor of one correction at `pull` σ, shape (n,): linear on either side."""
        nominal = self.evaluate(name, dataset, columns, quantities, "apply").values
        if pull == 0.0:
            return nominal
        side, size = self._side(name, pull)
        varied = self.evaluate(name, dataset, columns, quantities, side).values
        return np.asarray(nominal + size * (varied - nominal))

    def evaluate(
        self, name: str, dataset: str, columns: Columns, quantities: Columns, side: Side
    ) -> Evaluated:
        """Give factors of all events, shape (n,); 1 where a correction does not act."""
        view = self._view(columns, quantities)
        chosen = self._acts(name, dataset, quantities)
        if chosen is not None and not chosen.any():
            return unchanged(len(chosen))
        found = self.weights[name].evaluate(view, side)
        values, outside, missing = (
            view.spread(found.values, 1.0),
            view.spread(found.outside, False),
            view.spread(found.missing, False),
        )
        if chosen is None:
            return Evaluated(values, outside, missing)
        return Evaluated(np.where(chosen, values, 1.0), outside & chosen, missing & chosen)

    @property
    def weighted(self) -> tuple[str, ...]:
        """Names of the corrections of weights."""
        return tuple(self.weights)

    @cached_property
    def groups(self) -> tuple[CorrectionGroup, ...]:
        """Corrections of weights by what they depend on: one group an event, and a collection."""
        names: dict[str | None, list[str]] = {}
        for name, item in self.weights.items():
            names.setdefault(item.objects, []).append(name)
        groups = []
        for collection, members in names.items():
            used = dict.fromkeys(key for name in members for key in self._used(name))
            columns: frozenset[str] = frozenset()
            if collection is not None and self.stored is not None:
                columns = self.stored.depends[collection]
            quantities = tuple(key for key in used if key in self.known)
            groups.append(CorrectionGroup(tuple(members), columns, quantities))
        return tuple(groups)

    def _used(self, name: str) -> list[str]:
        """List the quantities that a correction depends on, with those of where it acts."""
        keys, used = self.keys[name], list(self.weights[name].uses)
        samples, regions = self.settings.samples, self.settings.regions
        cuts = [samples[key].select for key in keys.samples or ()]
        cuts += [regions[key].cut for key in keys.regions or ()]
        for cut in cuts:
            used += parse_expression(cut).names if cut is not None else ()
        return used

    @property
    def _balance(self) -> Balance:
        return NOWHERE if self.stored is None else self.stored.balance

    def _chain(self, columns: Columns, sides: Mapping[str, Side], *, is_data: bool) -> Columns:
        for name, opened in self.energies.items():
            found = opened.change(columns, sides.get(name, "apply"), is_data=is_data)
            columns = rescale(columns, opened.collection, found.values - 1.0, self._balance)
        return columns

    def _side(self, name: str, pull: float) -> tuple[Side, float]:
        """Give the side that a pull is on, and how much of its change it makes."""
        if pull < 0.0 and "down" in self.keys[name].sides:
            return "down", -pull
        return "up", pull

    def _view(self, columns: Columns, quantities: Columns) -> EventView:
        """Look at events; the last view is kept, as all corrections look at the same ones."""
        if self._views:
            known_columns, known_quantities, view = self._views[0]
            if known_columns is columns and known_quantities is quantities:
                return view
        view = EventView(columns, quantities, self.stored)
        self._views[:] = [(columns, quantities, view)]
        return view

    def _acts(self, name: str, dataset: str, quantities: Columns) -> Array | None:
        """Tell on which events a correction acts, shape (n,); None for all."""
        keys = self.keys[name]
        chosen: Array | None = None
        if keys.samples is not None:
            wanted = {key: self.settings.samples[key] for key in keys.samples}
            chosen = _any(sample_masks(quantities, wanted, dataset).values(), quantities)
        if keys.regions is not None:
            inside = {key: self.settings.regions[key] for key in keys.regions}
            within = _any(region_masks(quantities, inside).values(), quantities)
            chosen = within if chosen is None else chosen & within
        return chosen


def _any(masks: Iterable[Array], quantities: Columns) -> Array:
    found = np.zeros(len(quantities["passes"]), dtype=bool)
    for mask in masks:
        found = found | mask
    return found


def open_corrections(
    corrections: Mapping[str, NominalCorrection],
    analysis: Analysis,
    settings: CorrectionSettings,
) -> OpenedCorrections | None:
    """Read the files of all corrections; None if there are none.

    Raises
    ------
    TaipanError
        If a file or an input is wrong; see :meth:`NominalCorrection.open`.
    """
    if not corrections:
        return None
    early = {name: item for name, item in analysis.quantities.items() if not analysis.is_late(name)}
    known = InputNames(early, analysis.objects)
    opened = {name: item.open(f"corrections.{name}", known) for name, item in corrections.items()}
    return OpenedCorrections(
        corrections,
        {name: item for name, item in opened.items() if isinstance(item, OpenedWeight)},
        {name: item for name, item in opened.items() if isinstance(item, OpenedEnergy)},
        settings,
        analysis.objects,
        frozenset(analysis.quantities),
    )


def add_corrections(
    analysis: Analysis, config: Config, systematics: Mapping[str, Systematic] | None = None
) -> Analysis:
    """Return the analysis with the corrections of a configuration.

    Parameters
    ----------
    analysis
        Its quantities and objects are what inputs are made of.
    config
        Sections `corrections` and, if there are any, `samples` and `regions`.
    systematics
        Those whose alternative datasets are read, too: each is corrected as the samples that it
        stands for.

    Raises
    ------
    TaipanError
        As :func:`open_corrections`.
    """
    if not config.corrections:
        return analysis
    samples = dict(config.samples)
    for item in (systematics or {}).values():
        for name in item.samples if item.alternatives else ():
            datasets = [*samples[name].datasets, *item.alternatives]
            samples[name] = samples[name].model_copy(update={"datasets": datasets})
    settings = CorrectionSettings(samples, config.regions)
    return replace(analysis, corrections=open_corrections(config.corrections, analysis, settings))
