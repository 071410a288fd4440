"""−ln L of an HS3 document, from the text of the standard alone: nothing of pyhf or taipan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import gammaln
from scipy.stats import norm


def negative_log_likelihood(document: Mapping[str, Any], values: Mapping[str, float]) -> float:
    """Sum over the regions and over all constraints, each counted once.

    Interpolation is that of HistFactory: sixth-order polynomials within ±1, beyond exponential
    for ``normsys`` and linear for ``histosys``.
    """
    (likelihood,) = document["likelihoods"]
    by_name = {item["name"]: item for item in document["distributions"]}
    observed = {item["name"]: item["contents"] for item in document["data"]}
    total, constraints = 0.0, {}
    for name, data in zip(likelihood["distributions"], likelihood["data"], strict=True):
        expected = _expected(by_name[name], values)
        n = np.asarray(observed[data])
        total += float((expected - n * np.log(expected) + gammaln(n + 1.0)).sum())
        constraints |= _constraints(by_name[name], values)
    for name in likelihood["aux_distributions"]:
        item = by_name[name]
        assert item["type"] == "gaussian_dist"
        constraints[item["x"]] = -norm.logpdf(item["mean"], values[item["x"]], item["sigma"])
    return total + sum(constraints.values())


def _expected(channel: Mapping[str, Any], values: Mapping[str, float]) -> np.ndarray:
    assert channel["type"] == "histfactory_dist"
    total = 0.0
    for sample in channel["samples"]:
        nominal = np.asarray(sample["data"]["contents"])
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
                assert kind in ("staterror", "shapesys", "shapefactor")
                factor = factor * np.array([values[name] for name in item["parameters"]])
        total = total + content * factor
    return np.asarray(total)


def _norm(alpha: float, high: float, low: float) -> float:
    """Polynomial with the values, slopes and curvatures of the exponentials at ±1."""
    if abs(alpha) >= 1.0:
        return float(high**alpha if alpha > 0 else low**-alpha)
    rows, right = [], []
    powers = np.arange(1, 7)
    for x, base in ((1.0, high), (-1.0, low)):
        rate = x * np.log(base)
        rows += [
            x**powers,
            powers * x ** (powers - 1.0),
            powers * (powers - 1) * x ** (powers - 2.0),
        ]
        right += [base - 1.0, rate * base, rate**2 * base]
    return float(1.0 + np.linalg.solve(np.array(rows), right) @ alpha**powers)


def _shape(alpha: float, up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """PiecewiseInterpolation of ROOT, code 4."""
    if abs(alpha) >= 1.0:
        return alpha * up if alpha > 0 else -alpha * down
    even = alpha**2 * (15.0 - 10.0 * alpha**2 + 3.0 * alpha**4) / 16.0
    return np.asarray(alpha * 0.5 * (up - down) + (up + down) * even)


def _constraints(channel: Mapping[str, Any], values: Mapping[str, float]) -> dict[str, float]:
    """−ln of the constraint of each parameter."""
    found = {}
    content, variance = 0.0, 0.0
    for sample in channel["samples"]:
        if any(item["type"] == "staterror" for item in sample["modifiers"]):
            content = content + np.asarray(sample["data"]["contents"])
            variance = variance + np.square(sample["data"]["errors"])
    for sample in channel["samples"]:
        for item in sample["modifiers"]:
            if "constraint" not in item:
                continue
            if item["type"] in ("normsys", "histosys"):
                found[item["parameter"]] = -norm.logpdf(values[item["parameter"]])
                continue
            relative = (
                np.sqrt(variance) / content
                if item["type"] == "staterror"
                else np.asarray(item["data"]["vals"])
            )
            for name, size in zip(item["parameters"], relative, strict=True):
                if size > 0.0:
                    found[name] = _of_bin(values[name], size, item["constraint"])
    return found


def _of_bin(gamma: float, size: float, kind: str) -> float:
    if kind == "Gauss":
        return float(-norm.logpdf(1.0, gamma, size))
    assert kind == "Poisson"
    count = size**-2
    return float(gamma * count - count * np.log(gamma * count) + gammaln(count + 1.0))
