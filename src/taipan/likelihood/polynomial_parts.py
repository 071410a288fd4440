"""Samples whose yield is a polynomial of parameters, written as HistFactory can hold them.

A sample of HistFactory is multiplied by parameters, each once, and samples add up. So a sample
n·(1 + a·c + b·c²) is divided into three: n, a·n times c, and b·n times c and once more c. The
second c has a name of its own, d, and a region of one bin ties the two: it expects N + K·c - K·d
events and has N, so that they differ by √N/K at most, a ten thousandth of the range of c.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from taipan.config.polynomials import Monomial, Polynomial
from taipan.config.sections.fit import AGAIN

TIE = "tie_"
"""Beginning of the name of the region that ties a parameter to its copy."""
TIE_EVENTS = 1e6
# Largest difference of the two in units of the range, one standard deviation.
TIE_WIDTH = 1e-4


def list_factors(monomial: Monomial) -> list[str]:
    """Give the parameters that multiply a part: that of a square, and its copy."""
    names = []
    for name, power in monomial:
        names += [name, f"{name}{AGAIN}"][:power]
    return names


def name_part(sample: str, monomial: Monomial) -> str:
    """Name the part of a sample that a product of parameters multiplies."""
    words = [f"{name}{power if power > 1 else ''}" for name, power in monomial]
    return "_times_".join([sample, *words]) if words else f"{sample}_alone"


def divide_sample(sample: Mapping[str, Any], scale: Polynomial) -> list[dict[str, Any]]:
    """Divide a sample of a pyhf workspace into the terms of a polynomial.

    Rates keep their factors, templates are multiplied by the coefficient. The statistical
    uncertainty is divided so that its root of squares over the sum of the parts, all parameters at
    1, is what it was relative to the sample: then one γ holds it as before.

    Parameters
    ----------
    sample
        Name, data, modifiers.
    scale
        What multiplies its yield.

    Returns
    -------
    list of dict
        One sample for each term, in the order of the terms.
    """
    total = sum(scale.terms.values())
    size = np.sqrt(sum(value**2 for value in scale.terms.values()))
    # where the parts cancel, no factor holds the uncertainty; it stays, and is refused by name
    statistical = abs(total) / size if total else 1.0
    parts = []
    for monomial, coefficient in scale.terms.items():
        factors = [
            {"name": name, "type": "normfactor", "data": None} for name in list_factors(monomial)
        ]
        rest = [
            _multiply(item, coefficient, abs(coefficient) * statistical)
            for item in sample["modifiers"]
        ]
        parts.append(
            {
                "name": name_part(sample["name"], monomial),
                "data": _times(sample["data"], coefficient),
                "modifiers": [*factors, *rest],
            }
        )
    return parts


def _multiply(modifier: Mapping[str, Any], factor: float, statistical: float) -> dict[str, Any]:
    data = modifier["data"]
    if modifier["type"] == "histosys":
        data = {key: _times(values, factor) for key, values in data.items()}
    elif modifier["type"] == "staterror":
        data = _times(data, statistical)
    return {**modifier, "data": data}


def _times(values: Iterable[float], factor: float) -> list[float]:
    return [float(value) * factor for value in values]


def list_squares(scales: Iterable[Polynomial]) -> list[str]:
    """Give the parameters that enter as a square somewhere, sorted."""
    return sorted(
        {
            name
            for scale in scales
            for monomial in scale.terms
            for name, power in monomial
            if power > 1
        }
    )


def make_tie(name: str, bounds: tuple[float, float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the region that ties a parameter to its copy, and its observation.

    Parameters
    ----------
    name
        The parameter.
    bounds
        Its range.
    """
    slope = np.sqrt(TIE_EVENTS) / (TIE_WIDTH * (bounds[1] - bounds[0]))
    region = f"{TIE}{name}"

    def part(label: str, count: float, factors: list[str]) -> dict[str, Any]:
        modifiers = [{"name": item, "type": "normfactor", "data": None} for item in factors]
        return {"name": label, "data": [float(count)], "modifiers": modifiers}

    samples = [
        part("tie", TIE_EVENTS, []),
        part(f"tie_plus_{name}", slope, [name]),
        part(f"tie_minus_{name}", -slope, [f"{name}{AGAIN}"]),
    ]
    return {"name": region, "samples": samples}, {"name": region, "data": [TIE_EVENTS]}
