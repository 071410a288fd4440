"""From the lines of a datacard to numbers: histograms are found, read and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taipan.exchange.card import Card, Column, Nuisance, Place, ShapeRule
from taipan.exchange.card_model import CardModel, Channel, Morph, Process
from taipan.exchange.errors import CardError, ExchangeError
from taipan.exchange.root_files import Histogram, RootFiles

Array = npt.NDArray[np.float64]

# Combine takes a variation of the yield for none if both sides are below this (ShapeTools).
SMALLEST_CHANGE = 1e-3
# How far the rate of a card may be from the integral of its histogram, and an observation.
RATE_TOLERANCE = 0.01
OBSERVED_TOLERANCE = 0.005
DATA = "data_obs"


def fill_card(card: Card, mass: str = "120") -> CardModel:
    """Read the histograms of a card.

    Parameters
    ----------
    card
        As :func:`~taipan.exchange.read_card.read_card` gives it.
    mass
        What stands for ``$MASS``.

    Returns
    -------
    CardModel
        All numbers.

    Raises
    ------
    ExchangeError
        If a histogram is missing, or does not belong to the others; names file and line.
    """
    with RootFiles() as files:
        return _Filler(card, mass, files).fill()


class _Filler:
    def __init__(self, card: Card, mass: str, files: RootFiles) -> None:
        self.card, self.mass, self.files = card, mass, files
        self.rules = {(rule.channel, rule.process): rule for rule in card.shapes}
        self.notes: list[str] = list(card.notes)
        self.statistics = {item.channel: item for item in card.statistics}
        self.nuisances: dict[Place, list[Nuisance]] = {}
        for nuisance in card.nuisances:
            for place in nuisance.effects:
                self.nuisances.setdefault(place, []).append(nuisance)

    def fill(self) -> CardModel:
        gammas = {n.name: n.count for n in self.card.nuisances if n.kind == "gmN"}
        channels = tuple(self._channel(name) for name in self.card.channels)
        if not any(p.signal for channel in channels for p in channel.processes):
            raise ExchangeError(f"{self.card.path}: no signal is expected in any channel")
        used = {
            name
            for channel in channels
            for process in channel.processes
            for name in (*process.factors, *process.norms, *process.morphs)
        }
        idle = sorted({n.name for n in self.card.nuisances} - used)
        if idle:
            self.notes.append(f"without effect, and left out: {', '.join(idle)}")
        return CardModel(
            channels=channels,
            rates={r.name: r for r in self.card.rates if r.name in used},
            gammas={name: count for name, count in gammas.items() if name in used},
            constrained={k: v for k, v in self.card.constrained.items() if k in used},
            frozen=tuple(name for name in self.card.frozen if name in used),
            groups={
                group: kept
                for group, members in self.card.groups.items()
                if (kept := tuple(name for name in members if name in used))
            },
            notes=tuple(self.notes),
        )

    def rule(self, channel: str, process: str) -> ShapeRule | None:
        """Give the line ``shapes`` of a process: the most specific one."""
        for key in ((channel, process), (channel, "*"), ("*", process), ("*", "*")):
            if key in self.rules:
                return self.rules[key]
        return None

    def _channel(self, name: str) -> Channel:
        columns = [column for column in self.card.columns if column.channel == name]
        observed = self._observed(name, columns)
        processes = []
        for column in columns:
            process = self._process(column, observed)
            if process is None:
                self.notes.append(f"{column.process} in {name} expects nothing and is left out")
            else:
                processes.append(process)
        if not processes:
            raise ExchangeError(f"{self.card.path}: channel {name} expects nothing")
        channel = Channel(
            name, observed.values, observed.edges, tuple(processes), self.statistics.get(name)
        )
        return self._without_empty_bins(channel)

    def _observed(self, name: str, columns: Sequence[Column]) -> Histogram:
        stated = self.card.observed[name]
        rule = self.rule(name, DATA)
        if self._is_counting(name, columns):
            if stated == -1.0:
                raise ExchangeError(f"{self.card.path}: observation of {name}: -1 and no histogram")
            return Histogram(np.array([stated]), np.zeros(1), np.array([0.0, 1.0]))
        if rule is None or rule.file is None:
            raise ExchangeError(f"{self.card.path}: no line 'shapes' for {DATA} in {name}")
        found = self._histogram(rule, name, DATA)
        if (found.values < 0.0).any():
            raise self._error(rule, f"data of {name} are negative in a bin")
        total = float(found.values.sum())
        if stated != -1.0 and abs(stated - total) > OBSERVED_TOLERANCE:
            raise self._error(
                rule, f"observation of {name}: {stated:g}, but its histogram has {total:g}"
            )
        return found

    def _is_counting(self, name: str, columns: Sequence[Column]) -> bool:
        rules = [self.rule(name, column.process) for column in columns]
        return not self.rules or all(rule is not None and rule.file is None for rule in rules)

    def _process(self, column: Column, observed: Histogram) -> Process | None:
        place = (column.channel, column.process)
        rule = self.rule(*place)
        if column.rate == 0.0:
            return None
        if not self.rules or (rule is not None and rule.file is None):
            if column.rate == -1.0:
                raise ExchangeError(
                    f"{self.card.path}: rate of {column.process} in {column.channel}: -1 and no "
                    "histogram"
                )
            if len(observed.values) != 1:
                raise self._error(rule, f"FAKE in {column.channel}, whose data have several bins")
            nominal = Histogram(np.array([column.rate]), np.zeros(1), observed.edges)
        else:
            if rule is None:
                raise ExchangeError(
                    f"{self.card.path}: no line 'shapes' for {column.process} in {column.channel}"
                )
            nominal = self._histogram(rule, *place)
            self._compare_bins(rule, place, "nominal", nominal, len(observed.values), "the data")
        total = float(nominal.values.sum())
        if total == 0.0 and not nominal.values.any():
            return None
        if total <= 0.0:
            raise self._error(
                rule, f"{column.process} in {column.channel} expects {total:g} events"
            )
        process = Process(column.process, column.signal, nominal.values, nominal.errors)
        process = self._scale(process, column, total)
        for nuisance in self.nuisances.get(place, []):
            process = self._apply(process, nuisance, place, rule, nominal)
        for rate in self.card.rates:
            if place in rate.places:
                process = _times(process, rate.constant) if not rate.name else process
                process = replace(
                    process, factors=process.factors + ((rate.name,) if rate.name else ())
                )
        return self._cut_negative(process, column.channel)

    def _cut_negative(self, process: Process, channel: str) -> Process:
        """Cut bins below zero to zero, as Combine does, which then restores the integral.

        With ``autoMCStats`` it does not restore it.
        """
        templates = [process.values, *(s for m in process.morphs.values() for s in (m.up, m.down))]
        if min(template.min() for template in templates) >= 0.0:
            return process
        total = float(process.values.sum())

        def cut(template: Array) -> Array:
            kept = np.maximum(template, 0.0)
            return kept if channel in self.statistics else kept * (total / float(kept.sum()))

        self.notes.append(
            f"bins of {process.name} in {channel}, or of its variations, are below zero: cut to "
            "zero, as Combine does"
        )
        return replace(
            process,
            values=cut(process.values),
            morphs={n: Morph(cut(m.up), cut(m.down), m.scale) for n, m in process.morphs.items()},
        )

    def _scale(self, process: Process, column: Column, total: float) -> Process:
        if column.rate == -1.0:
            return process
        if abs(column.rate - total) > RATE_TOLERANCE * max(column.rate, total):
            raise ExchangeError(
                f"{self.card.path}: rate of {column.process} in {column.channel}: {column.rate:g}, "
                f"but its histogram has {total:g}"
            )
        if column.channel in self.statistics:
            return process  # there Combine takes the histogram
        return _times(process, column.rate / total)

    def _apply(
        self,
        process: Process,
        nuisance: Nuisance,
        place: Place,
        rule: ShapeRule | None,
        nominal: Histogram,
    ) -> Process:
        down, up = nuisance.effects[place]
        if nuisance.kind == "lnN":
            return _add_norm(process, nuisance.name, math.log(down), math.log(up))
        if nuisance.kind == "gmN":
            return self._gamma(process, nuisance, up)
        names = self._names(rule, place, nuisance.histograms.get(place, nuisance.name))
        if nuisance.kind == "shape?":
            known = self.files.names(names[0]) if names else frozenset()
            if not (names and {names[1], names[2]} <= known):
                down = 1.0 / up if down == up else down
                return _add_norm(process, nuisance.name, math.log(down), math.log(up))
            if down != up:
                raise CardError(
                    self.card.path, nuisance.line, f"{nuisance.name}: a shape has one scale"
                )
        if names is None or rule is None:
            raise CardError(
                self.card.path,
                nuisance.line,
                f"shape {nuisance.name}: no pattern for systematics of {place[1]} in {place[0]}",
            )
        return self._add_shape(process, nuisance, place, names, nominal, up)

    def _add_shape(
        self,
        process: Process,
        nuisance: Nuisance,
        place: Place,
        names: tuple[Path, str, str],
        nominal: Histogram,
        scale: float,
    ) -> Process:
        where = f"{self.card.path}: line {nuisance.line}"
        path, *both = names
        total = float(nominal.values.sum())
        shapes, kappas = [], []
        for name in both:
            found = self.files.read(path, name, where)
            if len(found.values) != len(nominal.values):
                raise ExchangeError(
                    f"{where}: {path}: {name} has {len(found.values)} bins, {place[1]} in "
                    f"{place[0]} has {len(nominal.values)}"
                )
            integral = float(found.values.sum())
            if integral <= 0.0:
                raise ExchangeError(f"{where}: {path}: {name} has an integral of {integral:g}")
            kappas.append(integral / total)
            shapes.append(found.values * (float(process.values.sum()) / integral))
        if max(abs(kappa - 1.0) for kappa in kappas) >= SMALLEST_CHANGE:
            log_up, log_down = (scale * math.log(kappa) for kappa in kappas)
            process = _add_norm(process, nuisance.name, log_down, log_up)
        if all(np.allclose(shape, process.values, rtol=1e-12, atol=0.0) for shape in shapes):
            return process
        if nuisance.name in process.morphs:
            raise CardError(
                self.card.path,
                nuisance.line,
                f"shape {nuisance.name} acts twice on {place[1]} in {place[0]}",
            )
        morph = Morph(shapes[0], shapes[1], scale)
        return replace(process, morphs={**process.morphs, nuisance.name: morph})

    def _gamma(self, process: Process, nuisance: Nuisance, ratio: float) -> Process:
        total = float(process.values.sum())
        expected = nuisance.count * ratio
        if abs(total - expected) > max(0.02 * max(total, expected), 0.06):  # as Combine
            raise CardError(
                self.card.path,
                nuisance.line,
                f"gmN {nuisance.name}: {nuisance.count} × {ratio:g} is not the rate {total:g} of "
                f"{process.name}",
            )
        scaled = _times(process, max(nuisance.count, 1) * ratio / total)
        return replace(scaled, factors=(*scaled.factors, nuisance.name))

    def _histogram(self, rule: ShapeRule, channel: str, process: str) -> Histogram:
        assert rule.file is not None
        path = self._path(rule, rule.file, channel, process)
        name = self._expand(rule.nominal, channel, process)
        return self.files.read(path, name, f"{self.card.path}: line {rule.line}")

    def _names(
        self, rule: ShapeRule | None, place: Place, systematic: str
    ) -> tuple[Path, str, str] | None:
        if rule is None or rule.file is None or rule.varied is None:
            return None
        name = self._expand(rule.varied, *place)
        if "$SYSTEMATIC" not in name:
            raise self._error(rule, f"{rule.varied!r} has no $SYSTEMATIC")
        up, down = (name.replace("$SYSTEMATIC", f"{systematic}{side}") for side in ("Up", "Down"))
        return self._path(rule, rule.file, *place), up, down

    def _path(self, rule: ShapeRule, file: str, channel: str, process: str) -> Path:
        name = self._expand(file, channel, process)
        if "://" in name:
            raise self._error(rule, f"{name!r} is remote (a file on this machine)")
        return self.card.path.parent / name

    def _expand(self, pattern: str, channel: str, process: str) -> str:
        values: Mapping[str, str] = {
            "$CHANNEL": channel,
            "$PROCESS": process,
            "$MASS": self.mass,
        }
        for key, value in values.items():
            pattern = pattern.replace(key, value)
        return pattern

    def _error(self, rule: ShapeRule | None, message: str) -> ExchangeError:
        if rule is None:
            return ExchangeError(f"{self.card.path}: {message}")
        return CardError(self.card.path, rule.line, message)

    def _compare_bins(
        self, rule: ShapeRule, place: Place, what: str, found: Histogram, bins: int, other: str
    ) -> None:
        if len(found.values) != bins:
            raise self._error(
                rule,
                f"{what} of {place[1]} in {place[0]} has {len(found.values)} bins, {other} have "
                f"{bins}",
            )

    def _without_empty_bins(self, channel: Channel) -> Channel:
        """Leave out bins in which nothing is observed and nothing can be expected."""
        filled = channel.observed > 0.0
        for process in channel.processes:
            filled |= process.values != 0.0
            for morph in process.morphs.values():
                filled |= (morph.up != 0.0) | (morph.down != 0.0)
        if filled.all():
            return channel
        self.notes.append(
            f"{int((~filled).sum())} bins of {channel.name} without data and expectation are left "
            "out"
        )
        kept = np.flatnonzero(filled)
        return replace(
            channel,
            observed=channel.observed[kept],
            edges=np.arange(len(kept) + 1.0),
            processes=tuple(_keep_bins(process, kept) for process in channel.processes),
        )


def _keep_bins(process: Process, kept: npt.NDArray[np.intp]) -> Process:
    return replace(
        process,
        values=process.values[kept],
        errors=process.errors[kept],
        morphs={
            name: Morph(morph.up[kept], morph.down[kept], morph.scale)
            for name, morph in process.morphs.items()
        },
    )


def _times(process: Process, factor: float) -> Process:
    return replace(
        process,
        values=process.values * factor,
        errors=process.errors * factor,
        morphs={
            name: Morph(morph.up * factor, morph.down * factor, morph.scale)
            for name, morph in process.morphs.items()
        },
    )


def _add_norm(process: Process, name: str, log_down: float, log_up: float) -> Process:
    before = process.norms.get(name, (0.0, 0.0))
    both = (before[0] + log_down, before[1] + log_up)
    return replace(process, norms={**process.norms, name: both})
