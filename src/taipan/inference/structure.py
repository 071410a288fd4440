"""What the schema of a workspace cannot say: names that agree, lengths that agree, sane numbers.

pyhf reads some of these files without a word, and takes the last of two observations or one of two
samples. Others end in messages that name neither region nor sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from taipan.inference.errors import FitError

# Far above any count, far below what overflows when it is squared and multiplied. Above 2^53, about
# 9e15, neighbouring counts are the same number.
LARGEST_VALUE = 1e15

_PER_BIN = ("staterror", "shapesys")


def check_structure(workspace: Mapping[str, Any]) -> None:
    """Refuse a workspace that follows the schema and still has no meaning.

    Parameters
    ----------
    workspace
        pyhf workspace that follows the schema.

    Raises
    ------
    FitError
        If a name is given twice, an observation is missing, lengths differ, a number is not finite,
        above `LARGEST_VALUE`, or negative where it must not be; names region, sample, modifier or
        key.
    """
    channels = workspace["channels"]
    _refuse_twice("channels: region", (item["name"] for item in channels))
    _refuse_twice("observations: region", (item["name"] for item in workspace["observations"]))
    _refuse_twice("measurements:", (item["name"] for item in workspace["measurements"]))
    for channel in channels:
        _check_channel(channel)
    _check_staterrors(channels)
    _check_observations(workspace)
    for item in workspace["measurements"]:
        names = (parameter["name"] for parameter in item["config"]["parameters"])
        _refuse_twice(f"measurement {item['name']}: parameter", names)


def check_measurement(workspace: Mapping[str, Any], measurement: Mapping[str, Any]) -> None:
    """Refuse a measurement whose parameters cannot be fitted.

    Raises
    ------
    FitError
        If the parameter of interest is constant, a range is empty, or the luminosity has no
        uncertainty; names measurement and parameter.
    """
    where = f"measurement {measurement['name']}"
    poi = measurement["config"]["poi"]
    kinds: dict[str, set[str]] = {}
    for _, _, modifier in _modifiers(workspace["channels"]):
        kinds.setdefault(modifier["name"], set()).add(modifier["type"])
    settings = {item["name"]: item for item in measurement["config"]["parameters"]}
    if settings.get(poi, {}).get("fixed"):
        raise FitError(
            f"{where}, parameter {poi}: the parameter of interest has 'fixed: true', so there is "
            "nothing to fit (remove 'fixed'; `taipan fit --mode background` holds it at 0)"
        )
    for name, found in kinds.items():
        if "lumi" in found and not {"auxdata", "sigmas"} <= set(settings.get(name, ())):
            raise FitError(
                f"{where}, parameter {name}: a modifier of type lumi needs 'auxdata' and 'sigmas'"
            )
    for name, item in settings.items():
        for key in ("inits", "auxdata", "sigmas", "factors"):
            _check_numbers(f"{where}, parameter {name}", key, item.get(key, ()))
        for bounds in item.get("bounds", ()):
            _check_numbers(f"{where}, parameter {name}", "bounds", bounds)
            if len(bounds) != 2 or not bounds[0] < bounds[1]:
                shown = ", ".join(f"{value:g}" for value in bounds)
                raise FitError(
                    f"{where}, parameter {name}: bounds [{shown}] (two numbers, the first must be "
                    "the smaller)"
                )
        if not all(size > 0.0 for size in item.get("sigmas", ())):
            raise FitError(f"{where}, parameter {name}: sigmas {item['sigmas']} (above 0)")


def unknown_observations(workspace: Mapping[str, Any]) -> list[str]:
    """Name the observations that belong to no channel: they are not used."""
    regions = {channel["name"] for channel in workspace["channels"]}
    return [
        f"observation of region {item['name']}: there is no such channel, it is not used"
        for item in workspace["observations"]
        if item["name"] not in regions
    ]


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    for name, number in Counter(names).items():
        if number > 1:
            raise FitError(f"{what} {name!r} is given {number} times (once is allowed)")


def _check_channel(channel: Mapping[str, Any]) -> None:
    where = f"region {channel['name']}"
    samples = channel["samples"]
    _refuse_twice(f"{where}: sample", (sample["name"] for sample in samples))
    bins = len(samples[0]["data"])
    for sample in samples:
        here = f"{where}, sample {sample['name']}"
        if len(sample["data"]) != bins:
            raise FitError(
                f"{here}: {len(sample['data'])} bins, sample {samples[0]['name']} has {bins} "
                "(all samples of a region need the same number)"
            )
        _check_numbers(here, "yields", sample["data"])
        _refuse_twice(
            f"{here}: modifier (name, type)",
            (f"{item['name']}, {item['type']}" for item in sample["modifiers"]),
        )
        for modifier in sample["modifiers"]:
            _check_modifier(here, modifier, bins)


def _check_modifier(sample: str, modifier: Mapping[str, Any], bins: int) -> None:
    where = f"{sample}, modifier {modifier['name']}"
    kind, data = modifier["type"], modifier["data"]
    for key, values in data.items() if isinstance(data, Mapping) else [("data", data)]:
        if values is None:
            continue
        _check_numbers(where, key, values)
        if isinstance(values, Sequence) and len(values) != bins:
            raise FitError(f"{where}: {key} has {len(values)} bins, the sample has {bins}")
        if kind in _PER_BIN:
            _refuse_negative(f"{where}: uncertainty", values)
        if kind == "normsys" and 0.0 < values < 1.0 / LARGEST_VALUE:
            raise FitError(f"{where}: {key} is {values:g} (at least {1.0 / LARGEST_VALUE:g})")


def _check_observations(workspace: Mapping[str, Any]) -> None:
    observed = {item["name"]: item["data"] for item in workspace["observations"]}
    for channel in workspace["channels"]:
        name, bins = channel["name"], len(channel["samples"][0]["data"])
        if name not in observed:
            raise FitError(
                f"region {name}: no observation of it (observations: {', '.join(observed)})"
            )
        data = observed[name]
        if len(data) != bins:
            raise FitError(f"region {name}: {len(data)} observed bins, its samples have {bins}")
        _check_numbers(f"region {name}", "observation", data)
        _refuse_negative(f"region {name}: observation", data)


def _check_staterrors(channels: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what multiplies bins of two regions by the same parameters, or half of a group."""
    places: dict[str, str] = {}
    for region, _, modifier in _modifiers(channels):
        if modifier["type"] == "staterror":
            other = places.setdefault(modifier["name"], region)
            if other != region:
                raise FitError(
                    f"region {region}, modifier {modifier['name']}: a staterror of this name is in "
                    f"region {other}, too (give each region a name of its own)"
                )


def _modifiers(
    channels: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for channel in channels:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                yield channel["name"], sample["name"], modifier


def _check_numbers(where: str, what: str, values: Any) -> None:
    try:
        numbers = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except OverflowError:  # an integer of hundreds of digits
        raise FitError(f"{where}: {what} holds a number that is far too large") from None
    # `not ... <=` is true for NaN, too
    bad = ~(np.abs(numbers) <= LARGEST_VALUE)
    if bad.any():
        position = int(np.argmax(bad))
        label = f"{what}[{position}]" if isinstance(values, Sequence) else what
        raise FitError(
            f"{where}: {label} is {numbers[position]:g} (a finite number, at most "
            f"{LARGEST_VALUE:g} in size)"
        )


def _refuse_negative(what: str, values: Sequence[float]) -> None:
    for position, value in enumerate(values):
        if value < 0.0:
            raise FitError(f"{what} of bin {position} is {value:g} (0 or more)")
