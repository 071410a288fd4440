"""The lower part of a datacard: uncertainties, free factors, statistics, groups."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path

from taipan.exchange.card import BinStatistics, Column, Nuisance, Place, RateParameter
from taipan.exchange.card_table import Line, read_number
from taipan.exchange.errors import CardError
from taipan.suggestions import nearest

KINDS = ("lnN", "shape", "shape?", "gmN")
DIRECTIVES = (*KINDS, "rateParam", "param", "extArg", "autoMCStats", "group", "nuisance edit")
_WHY = {
    "lnU": "a flat prior within a factor",
    "trG": "a truncated Gaussian",
    "unif": "a flat prior",
    "gmM": "a Gamma distribution of a given width",
    "dFD": "a double Fermi distribution",
    "dFD2": "a double Fermi distribution",
    "constr": "a constraint as a formula",
    "flatParam": "a parameter of a RooWorkspace",
    "discrete": "a discrete profile of RooFit functions",
    "shapeN": "interpolation of logarithms of bins",
    "shapeN2": "interpolation of logarithms of bins",
    "shapeL": "linear interpolation",
    "shapeU": "a shape without constraint",
    "shape2": "another interpolation",
    "shape2N": "another interpolation",
}


def refuse(path: Path, line: int, word: str) -> CardError:
    """Make the error for a directive that has no counterpart in a workspace."""
    why = f" ({_WHY[word]})" if word in _WHY else ""
    return CardError(
        path,
        line,
        f"{word!r}{why} cannot be translated ({', '.join(DIRECTIVES)} can)"
        f"{'' if why else nearest(word, DIRECTIVES)}",
    )


def read_nuisance(path: Path, line: Line, columns: Sequence[Column]) -> Nuisance:
    """Read a line of ``lnN``, ``shape``, ``shape?`` or ``gmN``.

    Raises
    ------
    CardError
        If a column is missing or has a bad value.
    """
    name, kind, *words = line.words
    count = 0
    if kind == "gmN":
        if not words or not re.fullmatch(r"\d{1,15}", words[0]):
            raise CardError(path, line.number, f"gmN {name} needs a number of events first")
        count, words = int(words[0]), words[1:]
    if len(words) != len(columns):
        raise CardError(
            path,
            line.number,
            f"{kind} {name} has {len(words)} columns, there are {len(columns)} processes",
        )
    effects: dict[Place, tuple[float, float]] = {}
    for column, word in zip(columns, words, strict=True):
        effect = read_effect(path, line.number, kind, name, word)
        if effect is not None:
            effects[column.channel, column.process] = effect
    return Nuisance(line.number, name, kind, count, effects)


def read_effect(
    path: Path, line: int, kind: str, name: str, word: str
) -> tuple[float, float] | None:
    """Read one column of an uncertainty; ``None`` if it says that there is no effect."""
    if re.fullmatch("-+", word):
        return None
    what = f"{kind} {name}"
    parts = word.split("/")
    if len(parts) == 2 and kind in ("lnN", "shape?"):
        down, up = (read_number(path, line, part, what) for part in parts)
    elif len(parts) == 1:
        value = read_number(path, line, word, what)
        if value == 0.0 or (kind == "lnN" and value == 1.0):
            return None
        if kind != "lnN":
            if value < 0.0:
                raise CardError(path, line, f"{what}: {word} (positive, or '-')")
            return value, value
        down, up = 1.0 / value, value
    else:
        raise CardError(
            path, line, f"{what}: {word!r} (a number{', or down/up' * (kind == 'lnN')})"
        )
    if min(down, up) <= 0.0:
        raise CardError(path, line, f"{what}: factor {word} (positive, or '-')")
    return None if down == up == 1.0 else (down, up)


def match_places(
    path: Path, line: int, columns: Sequence[Column], channel: str, process: str
) -> tuple[Place, ...]:
    """List the columns that two patterns of the shell mean.

    Raises
    ------
    CardError
        If there is none.
    """
    found = tuple(
        (column.channel, column.process)
        for column in columns
        if fnmatch.fnmatchcase(column.channel, channel)
        and fnmatch.fnmatchcase(column.process, process)
    )
    if not found:
        raise CardError(path, line, f"no process {process!r} in channel {channel!r}")
    return found


def read_range(path: Path, line: int, word: str, name: str) -> tuple[float, float]:
    """Read ``[low,high]``."""
    match = re.fullmatch(r"\[([^,\]]+),([^,\]]+)\]", word)
    if match is None:
        raise CardError(path, line, f"range of {name}: {word!r} is not [low,high]")
    low, high = (read_number(path, line, part, f"range of {name}") for part in match.groups())
    if not low < high:
        raise CardError(path, line, f"range of {name}: {word} is empty")
    return low, high


def read_rate(path: Path, line: Line, columns: Sequence[Column]) -> RateParameter:
    """Read a line ``rateParam``: a start with its range, or a product of other parameters.

    Raises
    ------
    CardError
        If it is neither.
    """
    name, _, *words = line.words
    if not 3 <= len(words) <= 5:
        raise CardError(
            path, line.number, "rateParam needs channel, process, start and [low,high] or a formula"
        )
    places = match_places(path, line.number, columns, words[0], words[1])
    start, rest = words[2], words[3:]
    if "@" in start:
        if len(rest) != 1:
            raise CardError(path, line.number, f"formula {start!r} needs its arguments once")
        constant, factors = read_product(path, line.number, start, rest[0].split(","))
        return RateParameter(line.number, name, places, factors=factors, constant=constant)
    if ":" in start:
        raise CardError(path, line.number, f"rateParam {name}: {start!r} is in a RooWorkspace")
    value = read_number(path, line.number, start, f"rateParam {name}")
    if len(rest) > 1:
        rest = ["".join(rest)]
    if not rest:
        return RateParameter(line.number, name, places, value)
    low, high = read_range(path, line.number, rest[0], name)
    if not low <= value <= high:
        raise CardError(path, line.number, f"rateParam {name}: {start} is not in {rest[0]}")
    return RateParameter(line.number, name, places, value, low, high)


def read_product(
    path: Path, line: int, formula: str, arguments: Sequence[str]
) -> tuple[float, tuple[str, ...]]:
    """Read a formula that multiplies its arguments, such as ``(@0*@1*0.5)``.

    Returns
    -------
    tuple
        The number and the arguments in it.

    Raises
    ------
    CardError
        If it is anything else.
    """
    text = formula
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    constant, factors = 1.0, []
    for part in text.split("*"):
        match = re.fullmatch(r"@(\d{1,3})", part.strip("() "))
        if match is not None and int(match[1]) < len(arguments):
            factors.append(arguments[int(match[1])])
        elif re.fullmatch(r"[0-9.eE+-]+", part):
            constant *= read_number(path, line, part, f"formula {formula!r}")
        else:
            factors = []
            break
    if not factors or len(set(factors)) < len(factors):
        raise CardError(
            path, line, f"formula {formula!r} is not a product of different arguments, as (@0*@1)"
        )
    return constant, tuple(factors)


def read_statistics(
    path: Path, line: Line, channels: Sequence[str], notes: list[str]
) -> list[BinStatistics]:
    """Read a line ``autoMCStats``: threshold, whether signals count, mode of histograms."""
    pattern, _, *words = line.words
    if not 1 <= len(words) <= 3:
        raise CardError(
            path, line.number, "autoMCStats needs a threshold, and may have two more numbers"
        )
    values = [read_number(path, line.number, word, "autoMCStats") for word in words]
    if len(values) == 3 and values[2] != 1.0:
        note = f"histogram mode {values[2]:g} of autoMCStats is read as 1, vertical interpolation"
        if note not in notes:
            notes.append(note)
    matched = [name for name in channels if fnmatch.fnmatchcase(name, pattern)]
    if not matched:
        raise CardError(
            path,
            line.number,
            f"autoMCStats: {pattern!r} is not a channel{nearest(pattern, channels)}",
        )
    if values[0] < 0.0:
        notes.append(f"line {line.number}: autoMCStats with a negative threshold has no parameters")
        return []
    signal = len(values) > 1 and values[1] != 0.0
    return [BinStatistics(line.number, name, values[0], signal) for name in matched]
