"""Cross sections: a strength in the unit of what a strength of 1 stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe_cross_section(value: float, unit: str, fit: Mapping[str, Any]) -> dict[str, Any]:
    """Give strength times cross section.

    Parameters
    ----------
    value
        Cross section that a strength of 1 stands for.
    unit
        Its unit.
    fit
        Results of :func:`taipan.inference.run_inference`.

    Returns
    -------
    dict
        ``unit``, ``predicted``, and ``expected`` and ``observed`` (None if blinded), each with
        ``value``, ``sigma`` and ``interval``.
    """
    found: dict[str, Any] = {"unit": unit, "predicted": value}
    for kind in ("expected", "observed"):
        result = fit[kind]
        found[kind] = result and {
            "value": value * result["mu_hat"],
            "sigma": value * result["sigma"],
            "interval": [value * end for end in result["interval"]],
        }
    return found
