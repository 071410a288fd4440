"""Reading a datacard of CMS Combine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from taipan.errors import TaipanError
from taipan.exchange.card import BinStatistics, Card, Nuisance, RateParameter
from taipan.exchange.card_edits import apply_edit
from taipan.exchange.card_lines import (
    KINDS,
    read_nuisance,
    read_range,
    read_rate,
    read_statistics,
    refuse,
)
from taipan.exchange.card_table import Line, Table, read_number, read_table, split_lines
from taipan.exchange.errors import CardError, ExchangeError
from taipan.suggestions import nearest

LARGEST_CARD = 64 * 1024**2
"""Bytes; the cards of the largest combinations have a tenth of it."""
POI = "r"
"""Combine's name of the signal strength."""


def read_card(path: Path) -> Card:
    """Read a datacard.

    Parameters
    ----------
    path
        Text file; histograms are not opened.

    Returns
    -------
    Card
        What it says, with edits applied.

    Raises
    ------
    ExchangeError
        Names the file and line, and what is wrong or cannot be translated.
    """
    try:
        with path.open("rb") as opened:
            raw = opened.read(LARGEST_CARD + 1)
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error
    if len(raw) > LARGEST_CARD:
        raise ExchangeError(f"{path}: more than {LARGEST_CARD // 1024**2} MiB of text")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CardError(path, line, "not text (UTF-8)") from None
    return parse_card(path, text)


def parse_card(path: Path, text: str) -> Card:
    """Read the text of a datacard; `path` is for messages and the place of its histograms."""
    table = read_table(path, split_lines(text))
    return _Reader(path, table).read()


class _Reader:
    """Reads the lower part line by line."""

    def __init__(self, path: Path, table: Table) -> None:
        self.path, self.table = path, table
        self.nuisances: list[Nuisance] = []
        self.rates: list[RateParameter] = []
        self.statistics: list[BinStatistics] = []
        self.constrained: dict[str, tuple[float, float]] = {}
        self.external: dict[str, RateParameter] = {}
        self.groups: dict[str, list[str]] = {}
        self.group_lines: dict[str, int] = {}
        self.frozen: list[str] = []
        self.notes: list[str] = []
        self.count = 0
        self.params: dict[str, int] = {}

    def read(self) -> Card:
        """Read all lines and put them together."""
        for line in self.table.rest:
            self._line(line)
        self._check_count()
        rates = _resolve(self.path, self.rates, self.external)
        self._check_names(rates)
        return Card(
            path=self.path,
            channels=self.table.channels,
            observed=self.table.observed,
            columns=self.table.columns,
            shapes=self.table.shapes,
            nuisances=tuple(item for item in self.nuisances if item.effects),
            rates=rates,
            statistics=tuple(self.statistics),
            constrained=self.constrained,
            groups={name: tuple(members) for name, members in self.groups.items()},
            frozen=tuple(dict.fromkeys(self.frozen)),
            notes=tuple(self.notes),
        )

    def _line(self, line: Line) -> None:
        words = line.words
        if words[0] == "nuisance" and len(words) > 1 and words[1] == "edit":
            names = [rate.name for rate in self.rates]
            self.nuisances, frozen = apply_edit(
                self.path, line, self.table.columns, self.nuisances, names
            )
            self.frozen += frozen
            return
        if len(words) < 2:
            raise CardError(self.path, line.number, f"{words[0]!r} stands alone")
        kind = words[1]
        if kind in KINDS:
            name = words[0]
            if name.endswith("[nofloat]"):
                name = name.removesuffix("[nofloat]")
                self.frozen.append(name)
            named = Line(line.number, (name, *words[1:]))
            self.nuisances.append(read_nuisance(self.path, named, self.table.columns))
            self.count += 1
        elif kind == "rateParam":
            self.rates.append(read_rate(self.path, line, self.table.columns))
        elif kind == "autoMCStats":
            found = read_statistics(self.path, line, self.table.channels, self.notes)
            again = {item.channel for item in found}
            self.statistics = [s for s in self.statistics if s.channel not in again] + found
        elif kind == "group":
            self._group(line)
        elif kind == "param":
            self._param(line)
        elif kind == "extArg":
            self._external(line)
        else:
            raise refuse(self.path, line.number, kind)

    def _group(self, line: Line) -> None:
        name, _, *rest = line.words
        if not rest or rest[0] not in ("=", "+="):
            raise CardError(self.path, line.number, "group needs '=' or '+=' and parameters")
        if rest[0] == "=" and name in self.groups:
            raise CardError(self.path, line.number, f"group {name} is there already ('+=' adds)")
        self.groups.setdefault(name, []).extend(rest[1:])
        self.group_lines[name] = line.number

    def _param(self, line: Line) -> None:
        name, _, *rest = line.words
        if len(rest) not in (2, 3) or "/" in rest[1]:
            raise CardError(
                self.path, line.number, "param needs a mean and one symmetric standard deviation"
            )
        mean, sigma = (read_number(self.path, line.number, word, name) for word in rest[:2])
        if sigma <= 0.0:
            raise CardError(self.path, line.number, f"param {name}: {rest[1]} is not positive")
        self.constrained[name] = (mean, sigma)
        self.params[name] = line.number
        self.count += 1

    def _external(self, line: Line) -> None:
        name, _, *rest = line.words
        if not 1 <= len(rest) <= 2 or ":" in rest[0]:
            raise CardError(
                self.path, line.number, "extArg needs a number, and may have [low,high]"
            )
        value = read_number(self.path, line.number, rest[0], name)
        low = high = None
        if len(rest) == 2:
            low, high = read_range(self.path, line.number, rest[1], name)
        self.external[name] = RateParameter(line.number, name, (), value, low, high)

    def _check_count(self) -> None:
        stated = self.table.nuisances
        if stated is not None and stated != self.count:
            raise CardError(
                self.path,
                self.table.counted_on,
                f"kmax: {stated}, but there are {self.count} lines of uncertainties",
            )

    def _check_names(self, rates: Sequence[RateParameter]) -> None:
        free = {rate.name: rate.line for rate in rates}
        kinds: dict[str, Nuisance] = {}
        for item in self.nuisances:
            if not item.effects:
                continue
            before = kinds.setdefault(item.name, item)
            same = (item.kind == "gmN") == (before.kind == "gmN")
            if item.name in free or item.name == POI or not same:
                raise CardError(
                    self.path, item.line, f"{item.name!r} is also another kind of parameter"
                )
            if item.kind == "gmN" and item.count != before.count:
                raise CardError(
                    self.path, item.line, f"gmN {item.name}: {before.count} on line {before.line}"
                )
        for name, number in self.params.items():
            if name not in free:
                raise CardError(
                    self.path, number, f"param {name!r} is not a rateParam of this card"
                )
        if len(self.params) > 1:
            name, number = list(self.params.items())[1]
            raise CardError(
                self.path,
                number,
                f"param {name!r}: a workspace holds one factor with a Gaussian constraint (lumi)",
            )
        known = {*kinds, *free}
        for group, members in self.groups.items():
            for member in members:
                if member not in known and not any(n.name == member for n in self.nuisances):
                    raise CardError(
                        self.path,
                        self.group_lines[group],
                        f"group {group}: {member!r} is not a parameter{nearest(member, known)}",
                    )


def _resolve(
    path: Path, rates: Sequence[RateParameter], external: dict[str, RateParameter]
) -> tuple[RateParameter, ...]:
    """Put free factors in place of formulas; those of one name become one."""
    plain: dict[str, RateParameter] = {}
    for rate in rates:
        if rate.factors:
            continue
        before = plain.get(rate.name)
        if before is None:
            plain[rate.name] = rate
            continue
        if (before.start, before.low, before.high) != (rate.start, rate.low, rate.high):
            raise CardError(
                path, rate.line, f"rateParam {rate.name} differs from that on line {before.line}"
            )
        again = set(before.places) & set(rate.places)
        if again:
            raise CardError(path, rate.line, f"rateParam {rate.name} twice on {sorted(again)[0]}")
        plain[rate.name] = replace(before, places=before.places + rate.places)
    extra: list[RateParameter] = []
    for rate in rates:
        constant = rate.constant
        for name in rate.factors:
            if name in external and external[name].low is None:
                constant *= external[name].start
                continue
            source = plain.get(name) or external.get(name)
            if source is None:
                known = [*plain, *external]
                raise CardError(
                    path,
                    rate.line,
                    f"formula of {rate.name}: {name!r} is neither rateParam nor extArg"
                    f"{nearest(name, known)}",
                )
            again = set(source.places) & set(rate.places)
            if again:
                raise CardError(path, rate.line, f"{name} is twice on {sorted(again)[0]}")
            plain[name] = replace(source, places=source.places + rate.places)
        if rate.factors and constant != 1.0:
            extra.append(replace(rate, name="", constant=constant, factors=()))
    return (*plain.values(), *extra)
