"""The first lines of a summary: what was measured, how well, and whether it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taipan.clean_text import escape_markdown
from taipan.summary.details import FitDetails, largest_parts
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
_LEAST_P_VALUE = 0.05  # of a fit that describes the data


def write_opening(summary: Mapping[str, Any], details: FitDetails | None = None) -> list[str]:
    """Write what was measured, how well, and whether it can be trusted: a paragraph each.

    Parameters
    ----------
    summary
        Content of ``summary.json``.
    details
        Of the main fit; None: the parts of the uncertainty are not named.
    """
    others = summary.get("others", {})
    views = [summary, *({**summary, **found, "poi": name} for name, found in others.items())]
    if summary["poi"] in list_unfolded(summary):
        measured, views = [name_spectrum(summary)], []
    else:
        measured = [_measured(view) for view in views]
    reach = [sentence for view in views for sentence in _reach(view)]
    reach += [] if details is None else _parts(summary, details)
    return [
        *(f"What was measured: {text}" for text in measured),
        *([f"How well: {' '.join(reach)}"] if reach else []),
        f"Can I trust it? {judge_trust(summary)}",
    ]


def judge_trust(summary: Mapping[str, Any]) -> str:
    """Say in one sentence what the checks of this run found.

    The verdict is that no check speaks against the result, or that it needs a closer look: a gate
    failed, the fit describes the data badly (p < 0.05), or a parameter is at its bound.
    """
    gates = summary["gates"]
    failed = [name for name, gate in gates.items() if not gate["passed"]]
    found = [_count_gates(len(gates), failed)]
    doubts = bool(failed) or bool(_caution(summary))
    if _caution(summary):
        found.append("**a parameter is at its bound**")
    observed = summary["observed"]
    goodness = None if observed is None else observed.get("goodness")
    if summary["pseudo_data"]:
        found.append("there are no data to compare with")
    elif goodness is not None and goodness["p_value"] is not None:
        badly = goodness["p_value"] < _LEAST_P_VALUE
        doubts = doubts or badly
        words = "**describes the data badly**" if badly else "describes the data"
        found.append(f"the fit {words} (p = {goodness['p_value']:.2g})")
    if "calibration" in summary:
        share = 100 * summary["calibration"]["coverage"]["calibrated"]
        found.append(f"{share:.0f} % of the calibrated intervals held the truth")
    else:
        found.append("how often intervals hold the truth was not measured in this run")
    count = len(summary["warnings"])
    found.append(f"{count or 'no'} warning{'' if count == 1 else 's'}")
    verdict = "**Not without a closer look**" if doubts else "No check speaks against it"
    return f"{verdict}: {'; '.join(found)}."


def _count_gates(total: int, failed: list[str]) -> str:
    if not total:
        return "no network is trained, so there is no gate"
    if failed:
        return f"**{len(failed)} of {total} gates failed** ({', '.join(failed)})"
    return "the gate passed" if total == 1 else f"all {total} gates passed"


def _measured(view: Mapping[str, Any]) -> str:
    label = view.get("interests", {}).get(view["poi"], {}).get("label", "")
    first = f"{escape_markdown(label)}: {_headline(view)}" if label else _headline(view)
    return " ".join([first, *_injected(view)])


def _parts(summary: Mapping[str, Any], details: FitDetails) -> list[str]:
    unit = write_unit(summary, summary["poi"])
    named = [
        f"{escape_markdown(name)} ({write_limit(size)}{unit})"
        for name, size in largest_parts(details)
        if size > 0.0
    ]
    if not named:
        return []
    return [f"Largest parts of the uncertainty of {write_poi(summary)}: {' and '.join(named)}."]


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
        label = escape_markdown(view["interests"][view["poi"]].get("label", ""))
        name = f"the {label}" if label else view["poi"]
        return [f"This run can measure {name} to {100 * expected['sigma'] / predicted:.1f} %."]
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
