"""A pyhf workspace in the terms of a datacard."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.exchange.card_part import Factor, Part
from taipan.exchange.card_statistics import gauss_name, poisson_name, total_name
from taipan.exchange.card_workspace import LUMI
from taipan.exchange.errors import ExchangeError
from taipan.exchange.fill_card import SMALLEST_CHANGE
from taipan.exchange.read_card import POI
from taipan.exchange.translate_bins import SPLIT, control_part, shape_bins, split_part
from taipan.exchange.translate_statistics import ChannelStatistics, translate_statistics
from taipan.inference.read import numpy_backend, open_workspace

Array = npt.NDArray[np.float64]

# What a sum of templates may be off by, relative, and still be unchanged.
SAME_INTEGRAL = 1e-9


@dataclass(frozen=True)
class Translation:
    """A workspace in the terms of a datacard.

    Attributes
    ----------
    parts
        Processes of channels.
    observed
        Channel → counts.
    factors
        Free factors.
    statistics
        Channel → threshold of ``autoMCStats`` and whether signals count, where there is one.
    frozen
        Parameters held constant.
    names
        Parameter of the workspace → that of the card, where they differ.
    lonely
        Parameters whose ``histosys`` changes an integral.
    notes
        What is lost.
    """

    parts: tuple[Part, ...]
    observed: Mapping[str, Array]
    factors: Mapping[str, Factor]
    statistics: Mapping[str, ChannelStatistics]
    frozen: tuple[str, ...]
    names: Mapping[str, str]
    units: Mapping[str, float]
    lonely: frozenset[str]
    notes: tuple[str, ...]


def translate_workspace(
    workspace: Mapping[str, Any], measurement: str | None = None
) -> Translation:
    """Put a workspace in the terms of a datacard.

    Parameters
    ----------
    workspace
        pyhf workspace.
    measurement
        Name of the measurement; the first one by default.

    Raises
    ------
    FitError
        If pyhf refuses the workspace.
    ExchangeError
        If something has no counterpart; names region, sample and modifier.
    """
    with numpy_backend():
        opened = open_workspace(workspace, measurement)
    return _Translator(workspace, opened).translate()


class _Translator:
    def __init__(self, workspace: Mapping[str, Any], opened: Any) -> None:
        self.workspace, self.config, self.settings = workspace, opened.model.config, opened.settings
        self.poi = str(self.config.poi_name)
        self.names: dict[str, str] = {self.poi: POI}
        self.taken = {POI: self.poi}
        self.lonely: set[str] = set()
        self.notes: list[str] = []
        self.factors: dict[str, Factor] = {}
        self.statistics: dict[str, ChannelStatistics] = {}
        self.held: set[str] = set()
        self.units: dict[str, float] = {}
        self.counts: dict[str, float] = {}

    def translate(self) -> Translation:
        self._refuse_shared_bins()
        signals = {
            sample["name"]
            for channel in self.workspace["channels"]
            for sample in channel["samples"]
            if self._is_signal(sample)
        }
        if not signals:
            raise ExchangeError(f"parameter of interest {self.poi!r} scales no sample")
        regions = [channel["name"] for channel in self.workspace["channels"]]
        channels = _clean_names(regions, "region")
        processes = _clean_names(
            sorted({s["name"] for c in self.workspace["channels"] for s in c["samples"]}), "sample"
        )
        parts: list[Part] = []
        for channel in self.workspace["channels"]:
            name = channels[channel["name"]]
            mine = []
            for sample in channel["samples"]:
                process = processes[sample["name"]]
                signal = self._is_signal(sample)
                if sample["name"] in signals and not signal:
                    process += "_bkg"  # a process is signal everywhere or nowhere
                part = self._part(channel["name"], name, process, signal, sample)
                if part is not None:
                    mine.append((sample, part))
            if not mine:
                raise ExchangeError(f"region {channel['name']}: no sample expects anything")
            parts += self._bins(channel, mine)
        parts += [control_part(factor, count) for factor, count in self.counts.items()]
        self._note_settings()
        observed = {
            channels[item["name"]]: np.asarray(item["data"], dtype=np.float64)
            for item in self.workspace["observations"]
        }
        return Translation(
            parts=tuple(parts),
            observed={
                **{channels[name]: observed[channels[name]] for name in regions},
                **{factor: np.array([count]) for factor, count in self.counts.items()},
            },
            factors=self.factors,
            statistics=self.statistics,
            frozen=tuple(sorted(self.held)),
            names={old: new for old, new in self.names.items() if old != new},
            units=self.units,
            lonely=frozenset(self.lonely),
            notes=tuple(self.notes),
        )

    def _is_signal(self, sample: Mapping[str, Any]) -> bool:
        kinds = [m["type"] for m in sample["modifiers"] if m["name"] == self.poi]
        if kinds and kinds != ["normfactor"]:
            raise ExchangeError(
                f"parameter of interest {self.poi!r} is a {kinds[0]}, not a normfactor"
            )
        return bool(kinds)

    def _refuse_shared_bins(self) -> None:
        where: dict[str, str] = {}
        for channel in self.workspace["channels"]:
            for sample in channel["samples"]:
                for modifier in sample["modifiers"]:
                    if modifier["type"] in ("staterror", "shapesys"):
                        before = where.setdefault(modifier["name"], channel["name"])
                        if before != channel["name"]:
                            raise ExchangeError(
                                f"{modifier['type']} {modifier['name']!r} is shared by regions "
                                f"{before} and {channel['name']}: a datacard has one set for each "
                                "channel"
                            )

    def parameter(self, name: str) -> str:
        """Name of a parameter in the card."""
        if name not in self.names:
            clean = re.sub(r"[^A-Za-z0-9_.]", "_", name)
            if clean[:1].isdigit():
                clean = f"p{clean}"
            while self.taken.get(clean, name) != name:
                clean += "_"
            self.names[name], self.taken[clean] = clean, name
            if self.settings.get(name, {}).get("fixed", False):
                self.held.add(clean)
        return self.names[name]

    def _part(
        self, region: str, channel: str, process: str, signal: bool, sample: Mapping[str, Any]
    ) -> Part | None:
        values = np.asarray(sample["data"], dtype=np.float64)
        where = f"region {region}, sample {sample['name']}"
        kinds = {m["type"] for m in sample["modifiers"]}
        if not values.any() and "histosys" not in kinds:
            self.notes.append(f"{where} expects nothing and is left out")
            return None
        if values.sum() <= 0.0:
            raise ExchangeError(
                f"{where}: expects {values.sum():g} events, a card needs more than 0"
            )
        part = Part(channel, process, signal, values, np.zeros_like(values))
        for modifier in sample["modifiers"]:
            kind, name, data = modifier["type"], modifier["name"], modifier["data"]
            if kind == "normsys":
                part.norms[self.parameter(name)] = (float(data["lo"]), float(data["hi"]))
            elif kind == "histosys":
                up, down = (
                    np.asarray(data[side], dtype=np.float64) for side in ("hi_data", "lo_data")
                )
                if min(up.sum(), down.sum()) <= 0.0:
                    raise ExchangeError(f"{where}: a side of histosys {name!r} expects no events")
                part.shapes[self.parameter(name)] = (up, down)
            elif kind in ("normfactor", LUMI) and name != self.poi:
                part.factors.append(self._factor(name, kind))
        return part

    def _join(self, part: Part) -> None:
        """Put the change of the yield where Combine reads it: in the integral of the shapes."""
        total = part.values.sum()
        for name, (up, down) in part.shapes.items():
            low, high = part.norms.pop(name, (1.0, 1.0))
            both = (up.sum() / total, down.sum() / total)
            if max(abs(ratio - 1.0) for ratio in both) > SAME_INTEGRAL:
                self.lonely.add(name)
            kappas = (high * both[0], low * both[1])
            if min(kappas) <= 0.0:
                raise ExchangeError(f"{part.process} in {part.channel}: {name} has a factor ≤ 0")
            unit_up, unit_down = up / both[0], down / both[1]
            if max(abs(kappa - 1.0) for kappa in kappas) >= SMALLEST_CHANGE:
                part.shapes[name] = (unit_up * kappas[0], unit_down * kappas[1])
            else:  # Combine would not see it
                part.shapes[name] = (unit_up, unit_down)
                if max(abs(kappa - 1.0) for kappa in kappas) > SAME_INTEGRAL:
                    part.norms[name] = (float(kappas[1]), float(kappas[0]))

    def _factor(self, name: str, kind: str) -> str:
        clean = self.parameter(name)
        if clean not in self.factors:
            place = self.config.par_slice(name).start
            low, high = self.config.suggested_bounds()[place]
            constraint = None
            if kind == LUMI:
                settings = self.config.param_set(name)
                constraint = (float(settings.auxdata[0]), float(settings.width()[0]))
            start = float(self.config.suggested_init()[place])
            self.factors[clean] = Factor(start, float(low), float(high), constraint)
        return clean

    def _bins(
        self, channel: Mapping[str, Any], mine: list[tuple[Mapping[str, Any], Part]]
    ) -> list[Part]:
        """Give the processes of a channel with what holds the parameters of its bins."""
        kinds = {m["type"] for sample, _ in mine for m in sample["modifiers"]}
        found = None
        if "shapefactor" not in kinds:
            try:
                found = self._statistics(channel, mine)
            except ExchangeError:
                if "shapesys" not in kinds:
                    raise
        if found is None and kinds & set(SPLIT):
            mine = [pair for sample, part in mine for pair in self._split(sample, part)]
            found = self._statistics(channel, mine)
        parts = [part for _, part in mine]
        if found is None:
            for part in parts:
                self._join(part)
            return parts
        name = parts[0].channel
        self.statistics[name] = found
        for part, errors in zip(parts, found.errors, strict=True):
            part.errors = errors
        if found.total is not None:
            self.names[found.total] = total_name(name)
        self.names |= {
            o: poisson_name(name, parts[row].process) for row, o in found.poisson.items()
        }
        self.names |= {
            old: gauss_name(name, parts[row].process) for row, old in found.gauss.items()
        }
        for old, rows in found.shapes.items():
            for place, (new, width) in shape_bins(parts, old, rows, self.parameter).items():
                self.names[place], self.units[place] = new, width
        for part in parts:
            self._join(part)
        return parts

    def _statistics(
        self, channel: Mapping[str, Any], mine: Sequence[tuple[Mapping[str, Any], Part]]
    ) -> ChannelStatistics | None:
        fixed = {name for name, entry in self.settings.items() if entry.get("fixed", False)}
        return translate_statistics(
            channel["name"],
            [sample for sample, _ in mine],
            [part.signal for _, part in mine],
            [math.prod(self.factors[f].start for f in part.factors) for _, part in mine],
            fixed,
        )

    def _split(self, sample: Mapping[str, Any], part: Part) -> list[tuple[Mapping[str, Any], Part]]:
        if not any(m["type"] in SPLIT for m in sample["modifiers"]):
            return [(sample, part)]
        made, names, factors, counts = split_part(part, sample, self.parameter, self.settings)
        self.names |= names
        self.factors |= factors
        self.counts |= counts
        for name in {place.partition("[")[0] for place in names}:
            if self.settings.get(name, {}).get("fixed", False):
                self.held |= {names[place] for place in names if place.startswith(f"{name}[")}
        self.lonely |= set(part.shapes)
        pairs: list[tuple[Mapping[str, Any], Part]] = []
        for one in made:
            kept = one.values != 0.0
            modifiers = [
                {**m, "data": np.where(kept, m["data"], 0.0).tolist()}
                for m in sample["modifiers"]
                if m["type"] == "staterror"
            ]
            pairs.append(({"name": one.process, "data": one.values, "modifiers": modifiers}, one))
        return pairs

    def _note_settings(self) -> None:
        place = self.config.par_slice(self.poi).start
        low, high = self.config.suggested_bounds()[place]
        if (low, high) != (0.0, 20.0):
            self.notes.append(
                f"range [{low:g}, {high:g}] of {self.poi}: Combine's is [0, 20] (--rMin, --rMax)"
            )
        if self.settings.get(self.poi, {}).get("fixed", False):
            self.notes.append(f"{self.poi} is held in the measurement; Combine fits it")


def _clean_names(names: Sequence[str], what: str) -> dict[str, str]:
    """Give each name without characters that a card cannot hold.

    Raises
    ------
    ExchangeError
        If two become the same.
    """
    found: dict[str, str] = {}
    for name in names:
        clean = re.sub(r"[^A-Za-z0-9_.]", "_", name)
        if not clean or clean[0].isdigit():
            clean = f"{what[0]}{clean}"
        if clean in found.values():
            raise ExchangeError(f"{what} {name!r}: another one has the same letters and digits")
        found[name] = clean
    return found
