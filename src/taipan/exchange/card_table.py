"""The upper part of a datacard: channels, processes, rates and where histograms are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taipan.exchange.card import Column, ShapeRule
from taipan.exchange.errors import CardError
from taipan.suggestions import nearest

# A card of more words than this is none: the largest published have some 10⁵.
MOST_COLUMNS = 100_000
COUNTS = ("imax", "jmax", "kmax")
ALLOWED = (*COUNTS, "shapes", "bin", "observation", "process", "rate")


@dataclass(frozen=True)
class Line:
    """A line of a card without its comment.

    Attributes
    ----------
    number
        From 1.
    words
        What stands there.
    """

    number: int
    words: tuple[str, ...]


def split_lines(text: str) -> list[Line]:
    """Give the lines of a card that say something."""
    found = []
    for number, raw in enumerate(text.splitlines(), start=1):
        if raw.startswith("--"):
            continue
        words = tuple(raw.split("#", 1)[0].split())
        if words and re.search(r"\w", raw):  # lines of dashes and stars divide the card
            found.append(Line(number, words))
    return found


def read_number(path: Path, line: int, word: str, what: str) -> float:
    """Read a finite number.

    Raises
    ------
    CardError
        If it is none; names what it should be.
    """
    try:
        value = float(word)
    except ValueError:
        raise CardError(path, line, f"{what}: {word!r} is not a number") from None
    if not math.isfinite(value):
        raise CardError(path, line, f"{what}: {word!r} is not finite")
    return value


@dataclass(frozen=True)
class Table:
    """The upper part of a card: attributes as those of :class:`~taipan.exchange.card.Card`.

    `nuisances` is the number that the line `counted_on` states.
    """

    channels: tuple[str, ...]
    observed: dict[str, float]
    columns: tuple[Column, ...]
    shapes: tuple[ShapeRule, ...]
    nuisances: int | None
    counted_on: int
    rest: tuple[Line, ...]


def read_table(path: Path, lines: Sequence[Line]) -> Table:
    """Read everything up to the line ``rate``.

    Raises
    ------
    CardError
        For the first line that is wrong.
    """
    rows: dict[str, list[Line]] = {"bin": [], "process": [], "observation": [], "rate": []}
    stated: dict[str, Line] = {}
    shapes: list[ShapeRule] = []
    rest: list[Line] = []
    for line in lines:
        first = line.words[0].lower()
        if rows["rate"] and first != "shapes":
            rest.append(line)
        elif first in COUNTS:
            stated[first] = line
        elif first == "shapes":
            shapes.append(_read_shapes(path, line, shapes))
        elif first == "combination" or first.endswith(":"):
            continue  # a title, as combineCards.py writes it, or "Description: ..."
        elif first in rows:
            if len(line.words) - 1 > MOST_COLUMNS:
                raise CardError(path, line.number, f"more than {MOST_COLUMNS} columns")
            rows[first].append(line)
        else:
            raise CardError(
                path,
                line.number,
                f"{line.words[0]!r} before the line 'rate'{nearest(first, ALLOWED)} "
                f"({', '.join(ALLOWED)})",
            )
    columns = _read_columns(path, rows)
    channels, observed = _read_observed(path, rows, columns)
    processes = {column.process for column in columns}
    _compare(path, stated, "imax", len(channels), 0, "channels")
    _compare(path, stated, "jmax", len(processes), 1, "processes")
    return Table(
        channels,
        observed,
        columns,
        tuple(shapes),
        _stated(path, stated, "kmax"),
        stated["kmax"].number if "kmax" in stated else 1,
        tuple(rest),
    )


def _stated(path: Path, stated: dict[str, Line], key: str) -> int | None:
    line = stated.get(key)
    if line is None or len(line.words) < 2 or line.words[1] == "*":
        return None
    if not re.fullmatch(r"\d{1,9}", line.words[1]):
        raise CardError(path, line.number, f"{key}: {line.words[1]!r} is not a number, nor '*'")
    return int(line.words[1])


def _compare(
    path: Path, stated: dict[str, Line], key: str, found: int, less: int, what: str
) -> None:
    number = _stated(path, stated, key)
    if number is not None and number != found - less:
        raise CardError(path, stated[key].number, f"{key}: {number}, but there are {found} {what}")


def _read_shapes(path: Path, line: Line, before: Sequence[ShapeRule]) -> ShapeRule:
    words = line.words
    if len(words) >= 4 and words[3] == "FAKE":
        rule = ShapeRule(line.number, words[1], words[2], None, "", None)
    elif 5 <= len(words) <= 6:
        varied = words[5] if len(words) == 6 else None
        if ":" in words[4] or (varied and ":" in varied):
            raise CardError(
                path, line.number, f"{words[4]!r} is in a RooWorkspace (only histograms are read)"
            )
        rule = ShapeRule(line.number, words[1], words[2], words[3], words[4], varied)
    else:
        raise CardError(
            path,
            line.number,
            "shapes needs process, channel, file, histogram and, for systematics, a second pattern",
        )
    for other in before:
        if (other.process, other.channel) == (rule.process, rule.channel):
            raise CardError(
                path,
                line.number,
                f"shapes of {rule.process} in {rule.channel} are also on line {other.line}",
            )
    return rule


def _read_columns(path: Path, rows: dict[str, list[Line]]) -> tuple[Column, ...]:
    for key, number in (("rate", 1), ("process", 2), ("bin", 1)):
        if len(rows[key]) < number:
            raise CardError(
                path, 1, f"{'a second' if rows[key] else 'the'} line {key!r} is missing"
            )
    if len(rows["process"]) > 2:
        raise CardError(path, rows["process"][2].number, "a third line 'process'")
    names, numbers = rows["process"]
    if all(re.fullmatch(r"[-+]?\d+", word) for word in names.words[1:]):
        names, numbers = numbers, names
    bins, rates = rows["bin"][-1], rows["rate"][0]
    width = len(names.words)
    for line in (bins, numbers, rates):
        if len(line.words) != width:
            raise CardError(
                path,
                line.number,
                f"{len(line.words) - 1} columns in {line.words[0]!r}, {width - 1} processes",
            )
    found: dict[tuple[str, str], Column] = {}
    signal: dict[str, bool] = {}
    for channel, process, digits, rate in zip(
        bins.words[1:], names.words[1:], numbers.words[1:], rates.words[1:], strict=True
    ):
        if not re.fullmatch(r"[-+]?\d{1,9}", digits):
            raise CardError(path, numbers.number, f"process number {digits!r} is not an integer")
        if (channel, process) in found:
            raise CardError(path, names.number, f"process {process} stands twice in {channel}")
        is_signal = int(digits) <= 0
        if signal.setdefault(process, is_signal) != is_signal:
            raise CardError(
                path, numbers.number, f"process {process} is signal and background at once"
            )
        value = read_number(path, rates.number, rate, f"rate of {process} in {channel}")
        if value < 0.0 and value != -1.0:
            raise CardError(
                path,
                rates.number,
                f"rate of {process} in {channel}: {rate} (positive, or -1 for the histogram)",
            )
        found[channel, process] = Column(channel, process, is_signal, value)
    if not any(signal.values()):
        raise CardError(path, numbers.number, "no signal (a process with a number of 0 or less)")
    return tuple(found.values())


def _read_observed(
    path: Path, rows: dict[str, list[Line]], columns: Sequence[Column]
) -> tuple[tuple[str, ...], dict[str, float]]:
    used = list(dict.fromkeys(column.channel for column in columns))
    if not rows["observation"]:
        raise CardError(path, rows["rate"][0].number, "no line 'observation' before 'rate'")
    if len(rows["observation"]) > 1:
        raise CardError(path, rows["observation"][1].number, "a second line 'observation'")
    line = rows["observation"][0]
    channels = list(rows["bin"][0].words[1:]) if len(rows["bin"]) > 1 else used
    if len(rows["bin"]) > 2:
        raise CardError(path, rows["bin"][2].number, "a third line 'bin'")
    if len(set(channels)) != len(channels):
        raise CardError(path, rows["bin"][0].number, "a channel stands twice")
    if len(line.words) - 1 != len(channels):
        raise CardError(
            path, line.number, f"{len(line.words) - 1} observations of {len(channels)} channels"
        )
    for name in [*(set(channels) - set(used)), *(set(used) - set(channels))]:
        raise CardError(
            path,
            line.number,
            f"channel {name!r} has no {'process' if name in channels else 'observation'}",
        )
    observed = {}
    for channel, word in zip(channels, line.words[1:], strict=True):
        value = read_number(path, line.number, word, f"observation of {channel}")
        if value < 0.0 and value != -1.0:
            raise CardError(
                path,
                line.number,
                f"observation of {channel}: {word} (positive, or -1 for the histogram)",
            )
        observed[channel] = value
    return tuple(channels), observed
