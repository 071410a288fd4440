"""The first lines of a summary: what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taipan.summary.layout import count_decimals, format_measurement
from taipan.summary.words import (
    MIN_DECIMALS,
    write_value_name,
    write_limit,
    write_measured,
    write_percent,
    write_poi,
    write_unit,
)


def write_headline(summary: Mapping[str, Any]) -> str:
    """Write the value of the parameter of interest, its significance and its limit."""
    observed, name = summary["observed"], write_poi(summary)
    unit = write_unit(summary, summary["poi"])
    least = 0 if unit else MIN_DECIMALS
    if observed is None:
        expected = summary["expected"]
        return (
            f"**Blinded; expected {write_value_name(summary)} = "
            f"{write_measured(expected, least)}{unit}**, "
            f"significance {expected['significance']:.2f} σ, "
            f"{name} < {write_limit(expected['limit']['expected'], least)}{unit} at "
            f"{write_percent(expected['limit']['level'])} CL without signal."
        )
    limit, expected = observed["limit"], summary["expected"]
    if unit:
        predicted = summary["interests"][summary["poi"]]["size"]
        ratio = format_measurement(
            observed["mu_hat"] / predicted, observed["sigma"] / predicted, MIN_DECIMALS
        )
        digits = count_decimals(expected["sigma"], least)
        return (
            f"**{write_value_name(summary)} = {write_measured(observed, least)}{unit}**, expected ± "
            f"{expected['sigma']:.{digits}f}{unit}; over the predicted {predicted:g}{unit} it is "
            f"{ratio}.{_caution(summary)}"
        )
    return (
        f"**{write_value_name(summary)} = {write_measured(observed)}**, significance "
        f"{observed['significance']:.2f} σ, "
        f"{name} < {write_limit(limit['observed'])} at {write_percent(limit['level'])} CL "
        f"(expected ± {expected['sigma']:.{count_decimals(expected['sigma'], MIN_DECIMALS)}f} and "
        f"{name} < {write_limit(expected['limit']['expected'])})."
        f"{_caution(summary)}"
    )


def _caution(summary: Mapping[str, Any]) -> str:
    """Say beside the result that it is none, if the fit ended at a bound."""
    start = f"{summary['observable']}: observed fit has "
    if not any(warning.startswith(start) for warning in summary["warnings"]):
        return ""
    return " **A parameter is at its bound: no measurement, see the warnings.**"
