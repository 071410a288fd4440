"""−ln L of an HS3 document by the text of the standard, as a reference of its workspace.

HEP Statistics Serialization Standard, version 0.2, ``histfactory_dist``. Interpolation is that of
HistFactory: polynomials of sixth order within ±1, beyond exponential for ``normsys`` and linear for
``histosys``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, xlogy
from scipy.stats import norm

from taipan.export.hs3 import parameter_names
from taipan.inference.read import numpy_backend, open_workspace

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hs3Density:
    """−ln L of the first likelihood of a document that :func:`~hs3_workspace.from_hs3` accepts."""

    document: Mapping[str, Any]

    def __call__(self, values: Mapping[str, float]) -> float:
        """Give −ln L: the sum over regions and constraints, each counted once."""
        likelihood = self.document["likelihoods"][0]
        by_name = {item["name"]: item for item in self.document["distributions"]}
        observed = {item["name"]: item["contents"] for item in self.document["data"]}
        total = 0.0
        constraints: dict[str, float] = {}
        for name, data in zip(likelihood["distributions"], likelihood["data"], strict=True):
            expected = _expected(by_name[name], values)
            counts = np.asarray(observed[data], dtype=np.float64)
            total += float((expected - xlogy(counts, expected) + gammaln(counts + 1.0)).sum())
            constraints |= _constraints(by_name[name], values)
        for name in likelihood.get("aux_distributions", []):
            item = by_name[name]
            mean, width = float(item["mean"]), float(item["sigma"])
            constraints[item["x"]] = -float(norm.logpdf(mean, values[item["x"]], width))
        return total + sum(constraints.values())


def hs3_names(workspace: Mapping[str, Any], measurement: str | None = None) -> dict[str, str]:
    """Parameter of a workspace, with its bin, → its name in the document of ``to_hs3``."""
    with numpy_backend():
        config = open_workspace(workspace, measurement).model.config
    return dict(zip(map(str, config.par_names), parameter_names(config), strict=True))


def _expected(channel: Mapping[str, Any], values: Mapping[str, float]) -> Array:
    total = np.zeros(len(channel["samples"][0]["data"]["contents"]))
    for sample in channel["samples"]:
        nominal = np.asarray(sample["data"]["contents"], dtype=np.float64)
        content, factor = nominal.copy(), np.ones_like(nominal)
        for item in sample["modifiers"]:
            kind, data = item["type"], item.get("data")
            if kind == "normfactor":
                factor = factor * values[item["parameter"]]
            elif kind == "normsys":
                factor = factor * _norm(values[item["parameter"]], data["hi"], data["lo"])
            elif kind == "histosys":
                up, down = (np.asarray(data[side]["contents"]) - nominal for side in ("hi", "lo"))
                content = content + _shape(values[item["parameter"]], up, down)
            else:
                factor = factor * np.array([values[name] for name in item["parameters"]])
        total = total + content * factor
    return total


def _norm(alpha: float, high: float, low: float) -> float:
    """Polynomial with the values, slopes and curvatures of the exponentials at ±1."""
    if abs(alpha) >= 1.0:
        return float(high**alpha if alpha > 0 else low**-alpha)
    rows: list[Any] = []
    right: list[float] = []
    powers = np.arange(1, 7)
    for x, base in ((1.0, high), (-1.0, low)):
        rate = x * float(np.log(base))
        rows += [
            x**powers,
            powers * x ** (powers - 1.0),
            powers * (powers - 1) * x ** (powers - 2.0),
        ]
        right += [base - 1.0, rate * base, rate**2 * base]
    return float(1.0 + np.linalg.solve(np.array(rows), np.array(right)) @ alpha**powers)


def _shape(alpha: float, up: Array, down: Array) -> Array:
    if abs(alpha) >= 1.0:
        return alpha * up if alpha > 0 else -alpha * down
    even = alpha**2 * (15.0 - 10.0 * alpha**2 + 3.0 * alpha**4) / 16.0
    return np.asarray(alpha * 0.5 * (up - down) + (up + down) * even)


def _constraints(channel: Mapping[str, Any], values: Mapping[str, float]) -> dict[str, float]:
    """−ln of the constraint of each parameter."""
    found: dict[str, float] = {}
    for sample in channel["samples"]:
        for item in sample["modifiers"]:
            kind = item["type"]
            if kind in ("normsys", "histosys"):
                found[item["parameter"]] = -float(norm.logpdf(values[item["parameter"]]))
            elif kind == "shapesys":
                for name, size in zip(item["parameters"], item["data"]["vals"], strict=True):
                    if size > 0.0:
                        found[name] = _of_bin(values[name], size, item["constraint"])
    return found


def _of_bin(gamma: float, size: float, kind: str) -> float:
    if kind == "Gauss":
        return -float(norm.logpdf(1.0, gamma, size))
    count = size**-2
    return float(gamma * count - xlogy(count, gamma * count) + gammaln(count + 1.0))
