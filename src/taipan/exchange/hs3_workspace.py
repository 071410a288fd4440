"""A pyhf workspace of an HS3 document (HEP Statistics Serialization Standard, version 0.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from taipan.exchange.errors import ExchangeError
from taipan.suggestions import nearest

KINDS = ("normfactor", "normsys", "histosys", "shapesys", "shapefactor")
CONSTRAINTS = ("Gauss", "Poisson")
# How far a relative uncertainty may be from that of the errors of the samples.
SAME_WIDTH = 1e-6


@dataclass
class _Parameters:
    """What is learnt about parameters while regions are read."""

    single: dict[str, None] = field(default_factory=dict)
    bins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    widths: dict[str, Sequence[float]] = field(default_factory=dict)


def from_hs3(path: Path, document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Translate a document.

    Parameters
    ----------
    path
        Of the file, for messages.
    document
        Content of the file.

    Returns
    -------
    tuple of dict
        Workspace, and parameter (``name[3]`` for bins) → its name in the document.

    Raises
    ------
    ExchangeError
        For what is missing, wrong or not a HistFactory model; names the key.
    """
    try:
        return _Reader(path, document).read()
    except ExchangeError:
        raise
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError) as error:
        reason = f"no key {error}" if isinstance(error, KeyError) else "not of the form of HS3"
        raise ExchangeError(f"{path}: {reason}") from error


class _Reader:
    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self.path, self.document = path, document
        self.parameters = _Parameters()
        self.lumi: tuple[str, float, float] | None = None

    def error(self, where: str, message: str) -> ExchangeError:
        return ExchangeError(f"{self.path}: {where}: {message}")

    def read(self) -> tuple[dict[str, Any], dict[str, str]]:
        likelihood = self._likelihood()
        by_name = {item["name"]: item for item in self.document["distributions"]}
        data = {item["name"]: item for item in self.document["data"]}
        self._auxiliary(likelihood, by_name)
        channels, observations = [], []
        for name, data_name in zip(likelihood["distributions"], likelihood["data"], strict=True):
            if name not in by_name:
                raise self.error("likelihoods", f"distribution {name!r}{nearest(name, by_name)}")
            if data_name not in data:
                raise self.error("likelihoods", f"data {data_name!r}{nearest(data_name, data)}")
            channel = self._channel(by_name[name])
            contents = _numbers(data[data_name]["contents"])
            if len(contents) != len(channel["samples"][0]["data"]):
                raise self.error(
                    f"data {data_name}",
                    f"{len(contents)} bins, {name} has {len(channel['samples'][0]['data'])}",
                )
            channels.append(channel)
            observations.append({"name": channel["name"], "data": contents})
        poi = self._poi()
        config = {"poi": poi, "parameters": self._settings()}
        workspace = {
            "channels": channels,
            "observations": observations,
            "measurements": [{"name": "hs3", "config": config}],
            "version": "1.0.0",
        }
        names = {
            f"{group}[{i}]": name
            for group, found in self.parameters.bins.items()
            for i, name in enumerate(found)
        }
        if self.lumi is not None:
            names["lumi"] = self.lumi[0]
        return workspace, names

    def _likelihood(self) -> Mapping[str, Any]:
        likelihoods = {item["name"]: item for item in self.document["likelihoods"]}
        analyses = self.document.get("analyses") or []
        name = analyses[0]["likelihood"] if analyses else next(iter(likelihoods))
        if name not in likelihoods:
            raise self.error("analyses", f"likelihood {name!r}{nearest(name, likelihoods)}")
        first: Mapping[str, Any] = likelihoods[name]
        if len(likelihoods) > 1:
            raise self.error("likelihoods", f"{len(likelihoods)} of them (one is read)")
        return first

    def _auxiliary(self, likelihood: Mapping[str, Any], by_name: Mapping[str, Any]) -> None:
        for name in likelihood.get("aux_distributions", []):
            item = by_name[name]
            if item["type"] != "gaussian_dist" or self.lumi is not None:
                raise self.error(
                    f"aux_distributions {name}",
                    "a workspace holds one factor with a Gaussian constraint (lumi)",
                )
            self.lumi = (item["x"], float(item["mean"]), float(item["sigma"]))

    def _channel(self, item: Mapping[str, Any]) -> dict[str, Any]:
        where = f"distribution {item['name']}"
        if item["type"] != "histfactory_dist":
            raise self.error(where, f"{item['type']!r} is not read (histfactory_dist)")
        name = item["name"].removeprefix("model_")
        samples = [
            {
                "name": sample["name"],
                "data": _numbers(sample["data"]["contents"]),
                "modifiers": [],
            }
            for sample in item["samples"]
        ]
        if not samples or len({len(sample["data"]) for sample in samples}) != 1:
            raise self.error(where, "samples have no or different numbers of bins")
        for sample, made in zip(item["samples"], samples, strict=True):
            for modifier in sample["modifiers"]:
                made["modifiers"].append(
                    self._modifier(f"{where}, sample {sample['name']}", item, sample, modifier)
                )
        return {"name": name, "samples": samples}

    def _modifier(
        self,
        where: str,
        channel: Mapping[str, Any],
        sample: Mapping[str, Any],
        item: Mapping[str, Any],
    ) -> dict[str, Any]:
        kind = item["type"]
        if kind not in KINDS:
            raise self.error(where, f"modifier {kind!r}{nearest(kind, KINDS)} ({', '.join(KINDS)})")
        if kind in ("normfactor", "normsys", "histosys"):
            return self._single(where, kind, item)
        names = tuple(str(name) for name in item["parameters"])
        bins = len(sample["data"]["contents"])
        if len(names) != bins:
            raise self.error(where, f"{len(names)} parameters of {item['name']!r}, {bins} bins")
        if self.parameters.bins.setdefault(item["name"], names) != names:
            raise self.error(where, f"{item['name']!r} has other parameters elsewhere")
        if kind == "shapefactor":
            return {"name": item["name"], "type": kind, "data": None}
        widths = _numbers(item["data"]["vals"])
        if len(widths) != bins:
            raise self.error(where, f"{len(widths)} values of {item['name']!r}, {bins} bins")
        constraint = item.get("constraint")
        if constraint not in CONSTRAINTS:
            raise self.error(where, f"constraint {constraint!r} ({', '.join(CONSTRAINTS)})")
        self.parameters.widths[item["name"]] = widths
        nominal = np.abs(_numbers(sample["data"]["contents"]))
        if constraint == "Poisson":
            return {"name": item["name"], "type": kind, "data": (nominal * widths).tolist()}
        errors = self._share(channel, sample, item["name"], np.asarray(widths))
        return {"name": item["name"], "type": "staterror", "data": errors}

    def _single(self, where: str, kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
        name = str(item["parameter"])
        self.parameters.single[name] = None
        if kind == "normfactor":
            if self.lumi is not None and name == self.lumi[0]:
                return {"name": "lumi", "type": "lumi", "data": None}
            return {"name": name, "type": kind, "data": None}
        if item.get("constraint", "Gauss") != "Gauss":
            raise self.error(where, f"constraint {item['constraint']!r} of {name!r} (Gauss)")
        if kind == "normsys":
            data: dict[str, Any] = {side: float(item["data"][side]) for side in ("hi", "lo")}
        else:
            data = {
                f"{side}_data": _numbers(item["data"][side]["contents"]) for side in ("hi", "lo")
            }
        return {"name": name, "type": kind, "data": data}

    def _share(
        self, channel: Mapping[str, Any], sample: Mapping[str, Any], name: str, widths: Any
    ) -> list[float]:
        """Absolute uncertainties of a sample, such that those of all give the relative ones."""
        members = [
            other
            for other in channel["samples"]
            if any(modifier["name"] == name for modifier in other["modifiers"])
        ]
        total = np.abs(np.sum([_numbers(other["data"]["contents"]) for other in members], axis=0))
        errors = [_numbers(other["data"].get("errors") or [0.0] * len(total)) for other in members]
        summed = np.sqrt(np.square(errors).sum(axis=0))
        mine = errors[[other["name"] for other in members].index(sample["name"])]
        free = widths == 0.0
        if np.allclose(np.where(free, 0.0, summed), widths * total, rtol=SAME_WIDTH, atol=0.0):
            return [float(value) for value in np.where(free, 0.0, mine)]
        first = members[0]["name"] == sample["name"]
        return [float(value) for value in (widths * total if first else 0.0 * total)]

    def _poi(self) -> str:
        analyses = self.document.get("analyses") or []
        found = analyses[0].get("parameters_of_interest") or [] if analyses else []
        if len(found) != 1:
            raise self.error("analyses", f"{len(found)} parameters of interest (one)")
        poi = str(found[0])
        if poi not in self.parameters.single:
            raise self.error(
                "analyses",
                f"parameter of interest {poi!r} scales nothing"
                f"{nearest(poi, self.parameters.single)}",
            )
        return poi

    def _settings(self) -> list[dict[str, Any]]:
        """Give starts, ranges and what is held, as a pyhf measurement has them."""
        domains, points = self.document.get("domains") or [], self.document.get("parameter_points")
        axes = {axis["name"]: axis for axis in domains[0]["axes"]} if domains else {}
        values = {item["name"]: item for item in points[0]["parameters"]} if points else {}
        found = []
        for name in self.parameters.single:
            entry = self._entry([name], axes, values)
            if self.lumi is not None and name == self.lumi[0]:
                entry |= {"auxdata": [self.lumi[1]], "sigmas": [self.lumi[2]]}
                found.append({"name": "lumi", **entry})
            elif entry:
                found.append({"name": name, **entry})
        for group, names in self.parameters.bins.items():
            entry = self._entry(names, axes, values)
            held = [bool(values.get(name, {}).get("const", False)) for name in names]
            free = [width > 0.0 for width in self.parameters.widths.get(group, [1.0] * len(names))]
            mine = [is_held for is_held, is_free in zip(held, free, strict=True) if is_free]
            if mine and any(mine) != all(mine):
                raise self.error("parameter_points", f"some bins of {group!r} are constant (all)")
            entry.pop("fixed", None)
            if mine and all(mine):
                entry["fixed"] = True
            if entry:
                found.append({"name": group, **entry})
        return found

    @staticmethod
    def _entry(
        names: Sequence[str], axes: Mapping[str, Any], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        entry: dict[str, Any] = {}
        if all(name in axes for name in names):
            entry["bounds"] = [[float(axes[n]["min"]), float(axes[n]["max"])] for n in names]
        if all(name in values for name in names):
            entry["inits"] = [float(values[name]["value"]) for name in names]
            if values[names[0]].get("const", False):
                entry["fixed"] = True
        return entry


def _numbers(values: Any) -> list[float]:
    found = [float(value) for value in values]
    if not all(map(math.isfinite, found)):
        raise ValueError("not finite")
    return found
