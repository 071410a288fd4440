"""Directives ``nuisance edit``: changes of the uncertainties that stand above them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from taipan.exchange.card import Column, Nuisance, Place
from taipan.exchange.card_lines import read_effect
from taipan.exchange.card_table import Line
from taipan.exchange.errors import CardError
from taipan.suggestions import nearest

EDITS = ("add", "drop", "rename", "changepdf", "freeze", "split", "merge", "flip")
OPTIONS = ("ifexists", "overwrite", "addq")
_WORDS = {"add": 5, "drop": 3, "changepdf": 2, "freeze": 1, "split": 7, "merge": 4, "flip": 3}

Edit = Callable[[Sequence[Nuisance]], list[Nuisance]]


def apply_edit(
    path: Path,
    line: Line,
    columns: Sequence[Column],
    nuisances: Sequence[Nuisance],
    parameters: Sequence[str],
) -> tuple[list[Nuisance], list[str]]:
    """Apply one line ``nuisance edit``.

    Parameters
    ----------
    path, line
        Where it stands.
    columns
        Processes of the card.
    nuisances
        Uncertainties as the lines before leave them.
    parameters
        Names of free factors, which may be frozen, too.

    Returns
    -------
    tuple
        The uncertainties afterwards, and the parameters that are held from now on.

    Raises
    ------
    CardError
        If the edit is unknown, finds nothing or cannot be done.
    """
    if len(line.words) < 3:
        raise CardError(path, line.number, f"nuisance edit needs one of {', '.join(EDITS)}")
    command, *words = line.words[2:]
    if command not in EDITS:
        raise CardError(
            path,
            line.number,
            f"nuisance edit {command!r} cannot be translated ({', '.join(EDITS)})"
            f"{nearest(command, EDITS)}",
        )
    options = {word for word in words if word in OPTIONS}
    words = [word for word in words if word not in OPTIONS]
    needed = (2, 4) if command == "rename" else (_WORDS[command],)
    if len(words) not in needed:
        raise CardError(
            path,
            line.number,
            f"nuisance edit {command} has {len(words)} words ({' or '.join(map(str, needed))})",
        )
    editor = _Editor(path, line.number, columns, "ifexists" in options, options)
    if command == "freeze":
        return list(nuisances), editor.freeze(nuisances, words[0], parameters)
    return getattr(editor, command)(nuisances, *words), []


class _Editor:
    """One edit, with the place where it stands."""

    def __init__(
        self, path: Path, line: int, columns: Sequence[Column], lenient: bool, options: set[str]
    ) -> None:
        self.path, self.line, self.columns = path, line, columns
        self.lenient, self.options = lenient, options

    def error(self, message: str) -> CardError:
        return CardError(self.path, self.line, f"nuisance edit: {message}")

    def places(self, process: str, channel: str) -> set[Place]:
        """Columns that two regular expressions mean (``*``: all)."""
        try:
            patterns = [re.compile(".*" if word == "*" else word) for word in (channel, process)]
        except re.error as error:
            raise self.error(f"{process!r} or {channel!r}: {error}") from None
        found = {
            (column.channel, column.process)
            for column in self.columns
            if patterns[0].fullmatch(column.channel) and patterns[1].fullmatch(column.process)
        }
        if not found and not self.lenient:
            raise self.error(f"no process {process!r} in channel {channel!r}")
        return found

    def find(self, nuisances: Sequence[Nuisance], name: str, extra: Sequence[str] = ()) -> set[str]:
        """Names of parameters that a regular expression means."""
        try:
            pattern = re.compile(name)
        except re.error as error:
            raise self.error(f"{name!r}: {error}") from None
        known = [*(nuisance.name for nuisance in nuisances), *extra]
        found = {item for item in known if item == name or pattern.fullmatch(item)}
        if not found and not self.lenient:
            raise self.error(f"{name!r} is not a parameter{nearest(name, known)}")
        return found

    def freeze(
        self, nuisances: Sequence[Nuisance], name: str, parameters: Sequence[str]
    ) -> list[str]:
        return sorted(self.find(nuisances, name, parameters))

    def drop(
        self, nuisances: Sequence[Nuisance], process: str, channel: str, name: str
    ) -> list[Nuisance]:
        names, places = self.find(nuisances, name), self.places(process, channel)
        return [
            _keep(item, lambda place: place not in places) if item.name in names else item
            for item in nuisances
        ]

    def flip(
        self, nuisances: Sequence[Nuisance], process: str, channel: str, name: str
    ) -> list[Nuisance]:
        names, places = self.find(nuisances, name), self.places(process, channel)
        changed = []
        for item in nuisances:
            if item.name in names:
                if item.kind != "lnN":
                    raise self.error(f"only lnN can be flipped, {item.name} is {item.kind}")
                item = _change(item, places, lambda down, up: (up, down))
            changed.append(item)
        return changed

    def changepdf(self, nuisances: Sequence[Nuisance], name: str, kind: str) -> list[Nuisance]:
        names = self.find(nuisances, name)
        shapes = ("shape", "shape?")
        for item in nuisances:
            both = item.kind in shapes and kind in shapes
            if item.name in names and item.kind != kind and not both:
                raise self.error(f"{item.name} cannot become {kind!r} from {item.kind}")
        return [replace(item, kind=kind) if item.name in names else item for item in nuisances]

    def rename(self, nuisances: Sequence[Nuisance], *words: str) -> list[Nuisance]:
        old, new = words[-2:]
        names = {item.name for item in nuisances if item.name == old}
        if not names and not self.lenient:
            raise self.error(
                f"{old!r} is not a parameter{nearest(old, [item.name for item in nuisances])}"
            )
        places = self.places(*words[:2]) if len(words) == 4 else self.places("*", "*")
        changed: list[Nuisance] = []
        for item in nuisances:
            if item.name not in names:
                changed.append(item)
                continue
            if item.kind == "gmN":
                raise self.error(f"{old} is gmN, which Combine does not rename")
            moved = _keep(item, lambda place: place in places)
            changed.append(_keep(item, lambda place: place not in places))
            histograms = {place: item.histograms.get(place, old) for place in moved.effects}
            changed.append(replace(moved, name=new, histograms=histograms))
        return changed

    def add(
        self,
        nuisances: Sequence[Nuisance],
        process: str,
        channel: str,
        name: str,
        kind: str,
        word: str,
    ) -> list[Nuisance]:
        if kind not in ("lnN", "shape", "shape?"):
            raise self.error(f"{kind!r} cannot be added (lnN, shape, shape?)")
        effect = read_effect(self.path, self.line, kind, name, word)
        places = self.places(process, channel)
        if effect is None:
            return list(nuisances)
        kept = list(nuisances)
        for item in nuisances:
            common = places & set(item.effects)
            if item.name != name or not common:
                continue
            if item.kind != kind or not self.options & {"overwrite", "addq"}:
                raise self.error(f"{name} is there already, without 'overwrite' or 'addq'")
            if "addq" in self.options:
                return self._add_squares(kept, item, effect, places)
            kept[kept.index(item)] = _keep(item, lambda place: place not in places)
        added = Nuisance(self.line, name, kind, 0, dict.fromkeys(sorted(places), effect))
        return [*kept, added]

    def _add_squares(
        self,
        nuisances: list[Nuisance],
        item: Nuisance,
        effect: tuple[float, float],
        places: set[Place],
    ) -> list[Nuisance]:
        if item.kind != "lnN":
            raise self.error(f"only lnN can be added in quadrature, {item.name} is {item.kind}")

        def both(one: float, two: float) -> float:
            if math.log(one) * math.log(two) < 0.0:
                raise self.error(f"{item.name}: {one:g} and {two:g} go in different directions")
            size = math.exp(math.hypot(math.log(one), math.log(two)))
            return size if one > 1.0 else 1.0 / size

        fresh = {place: effect for place in sorted(places) if place not in item.effects}
        summed = _change(item, places, lambda d, u: (both(d, effect[0]), both(u, effect[1])))
        changed = replace(summed, effects={**summed.effects, **fresh})
        return [changed if other is item else other for other in nuisances]

    def merge(
        self, nuisances: Sequence[Nuisance], process: str, channel: str, one: str, two: str
    ) -> list[Nuisance]:
        self.find(nuisances, one)
        names, places = self.find(nuisances, two), self.places(process, channel)
        current = list(nuisances)
        adder = _Editor(self.path, self.line, self.columns, True, {"addq"})
        for item in nuisances:
            if item.name not in names:
                continue
            if item.kind != "lnN":
                raise self.error(f"only lnN can be merged, {item.name} is {item.kind}")
            for place in sorted(places & set(item.effects)):
                down, up = item.effects[place]
                current = adder.add(
                    current,
                    re.escape(place[1]),
                    re.escape(place[0]),
                    one,
                    "lnN",
                    f"{down!r}/{up!r}",
                )
        return [
            _keep(item, lambda place: place not in places) if item.name in names else item
            for item in current
        ]

    def split(
        self, nuisances: Sequence[Nuisance], process: str, channel: str, old: str, *words: str
    ) -> list[Nuisance]:
        names, places = self.find(nuisances, old), self.places(process, channel)
        current: list[Nuisance] = []
        for item in nuisances:
            if item.name not in names or not places & set(item.effects):
                current.append(item)
                continue
            touched = sorted(places & set(item.effects))
            current.append(_keep(item, lambda place: place not in places))
            for name, word in zip(words[:2], words[2:], strict=True):
                effect = read_effect(self.path, self.line, item.kind, name, word)
                if effect is not None:
                    effects = dict.fromkeys(touched, effect)
                    current.append(Nuisance(self.line, name, item.kind, 0, effects))
        return current


def _keep(item: Nuisance, wanted: Callable[[Place], bool]) -> Nuisance:
    return replace(item, effects={p: e for p, e in item.effects.items() if wanted(p)})


def _change(
    item: Nuisance, places: set[Place], how: Callable[[float, float], tuple[float, float]]
) -> Nuisance:
    effects: Mapping[Place, tuple[float, float]] = {
        place: how(*effect) if place in places else effect for place, effect in item.effects.items()
    }
    return replace(item, effects=effects)
