"""How the histograms of a ROOT file are called: the small YAML file of ``taipan import``.

.. code-block:: yaml

    file: histograms.root
    nominal: "{region}/{sample}"
    varied: "{region}/{sample}_{systematic}{side}"
    data: "{region}/data_obs"
    signals: [sig]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taipan.errors import TaipanError
from taipan.exchange.errors import ExchangeError
from taipan.limits import refuse_large
from taipan.suggestions import nearest

_FIELDS = {
    "nominal": ("region", "sample"),
    "varied": ("region", "sample", "systematic", "side"),
    "data": ("region",),
}


class Norm(BaseModel):
    """An uncertainty of yields.

    Attributes
    ----------
    samples
        What it acts on.
    up, down
        Factors at +1 and -1; 1/up by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: tuple[str, ...] = Field(min_length=1)
    up: float = Field(gt=0.0)
    down: float | None = Field(default=None, gt=0.0)


class FreeFactor(BaseModel):
    """A free factor.

    Attributes
    ----------
    samples
        What it scales.
    start
        Starting value.
    range
        Lower and upper end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: tuple[str, ...] = Field(min_length=1)
    start: float = 1.0
    range: tuple[float, float] = (0.0, 10.0)


class HistogramNames(BaseModel):
    """Which histograms are what.

    Attributes
    ----------
    file
        ROOT file, relative to the YAML file.
    nominal, varied, data
        Patterns of their names.
    up, down
        What ``{side}`` is.
    signals
        Samples that the parameter of interest scales.
    poi
        Its name.
    regions, samples
        Those to take; all that are found by default.
    factors
        Free factors by name.
    norms
        Uncertainties of yields.
    statistics
        Whether the errors of the histograms become parameters.
    mirror
        Whether a systematic with one side alone gets the other by reflection.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    nominal: str = "{region}/{sample}"
    varied: str | None = "{region}/{sample}_{systematic}{side}"
    data: str = "{region}/data_obs"
    up: str = Field(default="Up", min_length=1)
    down: str = Field(default="Down", min_length=1)
    signals: tuple[str, ...] = Field(min_length=1)
    poi: str = Field(default="mu", min_length=1)
    regions: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    factors: dict[str, FreeFactor] = {}
    norms: dict[str, Norm] = {}
    statistics: bool = True
    mirror: bool = False


@dataclass(frozen=True)
class Found:
    """The histograms of a file.

    Attributes
    ----------
    data
        Region → name.
    nominal
        Region and sample → name.
    varied
        Region, sample and systematic → names of up and down; empty where there is none.
    """

    data: dict[str, str]
    nominal: dict[tuple[str, str], str]
    varied: dict[tuple[str, str, str], tuple[str, str]]


def read_names(path: Path) -> HistogramNames:
    """Read the YAML file.

    Raises
    ------
    TaipanError
        Names the file, the key, the bad value and what is allowed.
    """
    refuse_large(path, "YAML")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ExchangeError(f"{path} is not valid YAML: {reason}") from error
    if not isinstance(content, dict):
        raise ExchangeError(
            f"{path}: not a list of keys ({', '.join(HistogramNames.model_fields)})"
        )
    try:
        names = HistogramNames.model_validate(content)
    except ValidationError as error:
        raise ExchangeError(f"{path}: {_explain(error.errors()[0])}") from None
    for key, fields in _FIELDS.items():
        pattern = getattr(names, key)
        if pattern is not None:
            _check_pattern(path, key, pattern, fields)
    return names


def _explain(detail: Any) -> str:
    where = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        models: dict[Any, type[BaseModel]] = {"norms": Norm, "factors": FreeFactor}
        model = models.get(detail["loc"][0], HistogramNames)
        known = model.model_fields
        bad = str(detail["loc"][-1])
        return f"{where}: not a key{nearest(bad, known)} ({', '.join(known)})"
    if detail["type"] == "missing":
        return f"{where}: is missing"
    value = detail["input"]
    # an alias can make a list of endless depth
    text = repr(value)[:60] if isinstance(value, str | int | float | None) else type(value).__name__
    return f"{where}: {text} is not allowed ({detail['msg']})"


def _check_pattern(path: Path, key: str, pattern: str, fields: tuple[str, ...]) -> None:
    found = re.findall(r"\{(\w*)\}", pattern)
    needed = [field for field in fields if field != "region"]
    missing = [field for field in needed if field not in found]
    if missing or set(found) - set(fields) or len(set(found)) < len(found):
        raise ExchangeError(
            f"{path}: {key}: {pattern!r} must have each of "
            f"{', '.join(f'{{{field}}}' for field in fields)} once"
        )


def find_histograms(path: Path, names: HistogramNames, keys: Iterable[str]) -> Found:
    """Sort the names of a file.

    Parameters
    ----------
    path
        ROOT file, for messages.
    names
        Patterns.
    keys
        Names in the file.

    Raises
    ------
    ExchangeError
        If a region has no data, a sample or region is not found, or a side is missing.
    """
    present = sorted(keys)
    data = {
        match["region"] if "region" in match.re.groupindex else "region": key
        for key in present
        if (match := _regex(names.data).fullmatch(key)) and not _is_side(names, key)
    }
    data = {
        region: key for region, key in data.items() if not names.regions or region in names.regions
    }
    for region in names.regions:
        if region not in data:
            raise ExchangeError(
                f"{path}: region {region!r} has no {names.data.format(region=region)!r}"
            )
    if not data:
        raise ExchangeError(f"{path}: no histogram is called {names.data!r}")
    nominal = _find_nominal(names, data, present)
    for sample in {*names.samples, *names.signals, *_named(names)}:
        if not any(found == sample for _, found in nominal):
            known = sorted({found for _, found in nominal})
            raise ExchangeError(
                f"{path}: sample {sample!r} is in no region{nearest(sample, known)} "
                f"({', '.join(known)})"
            )
    return Found(data, nominal, _find_varied(path, names, nominal, present))


def _named(names: HistogramNames) -> list[str]:
    found = [sample for factor in names.factors.values() for sample in factor.samples]
    return found + [sample for norm in names.norms.values() for sample in norm.samples]


def _find_nominal(
    names: HistogramNames, data: dict[str, str], present: list[str]
) -> dict[tuple[str, str], str]:
    found = {}
    for region, observed in data.items():
        regex = _regex(names.nominal, region=region)
        for key in present:
            match = regex.fullmatch(key)
            if match is None or key == observed:
                continue
            sample = match["sample"]
            if names.samples and sample not in names.samples:
                continue
            if names.samples or not _is_side(names, key):
                found[region, sample] = key
    return found


def _is_side(names: HistogramNames, key: str) -> bool:
    """Whether a name is that of a varied histogram."""
    return names.varied is not None and any(
        _regex(names.varied, side=side).fullmatch(key) for side in (names.up, names.down)
    )


def _find_varied(
    path: Path,
    names: HistogramNames,
    nominal: dict[tuple[str, str], str],
    present: list[str],
) -> dict[tuple[str, str, str], tuple[str, str]]:
    if names.varied is None:
        return {}
    sides: dict[tuple[str, str, str], dict[str, str]] = {}
    taken = set(nominal.values())
    for region, sample in sorted(nominal, key=lambda place: -len(place[1])):
        for side in (names.up, names.down):
            regex = _regex(names.varied, region=region, sample=sample, side=side)
            for key in present:
                match = regex.fullmatch(key)
                if match is not None and key not in taken:
                    taken.add(key)  # of the sample with the longest name that fits
                    sides.setdefault((region, sample, match["systematic"]), {})[side] = key
    found = {}
    for place, both in sorted(sides.items()):
        if len(both) < 2 and not names.mirror:
            (key,) = both.values()
            raise ExchangeError(f"{path}: {key!r} has no other side (mirror: true reflects it)")
        found[place] = (both.get(names.up, ""), both.get(names.down, ""))
    return found


def _regex(pattern: str, **known: str) -> re.Pattern[str]:
    """Make a regular expression of a pattern, with some fields filled in."""
    text = ""
    for part in re.split(r"(\{\w+\})", pattern):
        field = part[1:-1]
        if not (part.startswith("{") and part.endswith("}")):
            text += re.escape(part)
        elif field in known:
            text += re.escape(known[field])
        else:
            text += f"(?P<{field}>[^/]+)"
    return re.compile(text)
