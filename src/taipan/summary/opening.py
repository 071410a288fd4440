"""The first lines of a summary: of each parameter what was put in, found, and could be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taipan.clean_text import escape_markdown
from taipan.summary.layout import count_decimals, format_measurement
from taipan.summary.spectrum_tables import list_unfolded, name_spectrum
from taipan.summary.words import (
    MIN_DECIMALS,
    write_limit,
    write_measured,
    write_percent,
    write_poi,
    write_unit,
    write_value_name,
)

_EVIDENCE = 3.0  # σ


def write_opening(summary: Mapping[str, Any]) -> list[str]:
    """Write a paragraph for each parameter of interest.

    Parameters
    ----------
    summary
        Content of ``summary.json``.
    """
    if summary["poi"] in list_unfolded(summary):
        return [name_spectrum(summary)]
    others = summary.get("others", {})
    views = [summary, *({**summary, **found, "poi": name} for name, found in others.items())]
    return [_paragraph(view) for view in views]


def _paragraph(view: Mapping[str, Any]) -> str:
    label = view.get("interests", {}).get(view["poi"], {}).get("label", "")
    first = f"{escape_markdown(label)}: {_headline(view)}" if label else _headline(view)
    return " ".join([first, *_injected(view), *_reach(view)])


def _headline(summary: Mapping[str, Any]) -> str:
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
    digits = count_decimals(expected["sigma"], least)
    if unit:
        predicted = summary["interests"][summary["poi"]]["size"]
        ratio = format_measurement(
            observed["mu_hat"] / predicted, observed["sigma"] / predicted, MIN_DECIMALS
        )
        return (
            f"**{write_value_name(summary)} = {write_measured(observed, least)}{unit}**, "
            f"expected ± {expected['sigma']:.{digits}f}{unit}; over the predicted "
            f"{predicted:g}{unit} it is {ratio}.{_caution(summary)}"
        )
    return (
        f"**{write_value_name(summary)} = {write_measured(observed)}**, significance "
        f"{observed['significance']:.2f} σ, "
        f"{name} < {write_limit(limit['observed'])} at {write_percent(limit['level'])} CL "
        f"(expected ± {expected['sigma']:.{digits}f} and "
        f"{name} < {write_limit(expected['limit']['expected'])})."
        f"{_caution(summary)}"
    )


def _injected(view: Mapping[str, Any]) -> list[str]:
    """Say what was put in, if the data are simulated and it is known."""
    known = (view["truth"] or {}).get("injected", {})
    if view["poi"] not in known:
        return []
    value, unit = known[view["poi"]], write_unit(view, view["poi"])
    found = view["observed"]
    if found is None or not found["sigma"] > 0:
        return [f"Put in: {value:g}{unit}."]
    pull = (found["mu_hat"] - value) / found["sigma"]
    side = "above" if pull >= 0 else "below"
    return [f"Put in: {value:g}{unit}; what was found is {abs(pull):.1f} σ {side} it."]


def _reach(view: Mapping[str, Any]) -> list[str]:
    """Say what this run can see; `expected` is for the predicted value."""
    if "others" not in view and view["truth"] is None:
        return []
    expected, unit = view["expected"], write_unit(view, view["poi"])
    if unit:
        predicted = view["interests"][view["poi"]]["size"]
        return [f"This run can measure it to {100 * expected['sigma'] / predicted:.1f} %."]
    needed = _EVIDENCE * expected["sigma"]
    return [
        f"This run can see a signal of about {needed:.{count_decimals(expected['sigma'], 1)}f} "
        f"with {_EVIDENCE:g} σ; one of {expected['mu_hat']:g} has "
        f"{expected['significance']:.2f} σ."
    ]


def _caution(summary: Mapping[str, Any]) -> str:
    """Say beside the result that it is none, if the fit ended at a bound."""
    start = f"{summary['observable']}: observed fit has "
    if not any(warning.startswith(start) for warning in summary["warnings"]):
        return ""
    return " **A parameter is at its bound: no measurement, see the warnings.**"
