"""The summary as Markdown that a terminal can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.clean_text import escape_markdown
from taipan.estimates.registry import true_factors
from taipan.summary.corrections import CHANGES, list_changes
from taipan.summary.cross_checks import tabulate_cross_checks
from taipan.summary.layout import (
    ABSENT,
    count_decimals,
    format_measurement,
    format_table,
    plain_label,
)
from taipan.summary.spectrum_tables import list_unfolded, name_spectrum, write_spectra
from taipan.summary.yield_tables import write_yields

_MIN_DECIMALS = 2


def to_markdown(summary: Mapping[str, Any]) -> str:
    """Write a summary for people.

    Parameters
    ----------
    summary
        Content of ``summary.json``.

    Returns
    -------
    str
        Markdown; the columns of its tables are aligned, so that it can be read as it is.
    """
    parts = [
        f"# {escape_markdown(plain_label(summary['title']))}",
        _headline(summary),
        f"Analysis `{summary['analysis']}` on `{summary['catalogue']}`: "
        f"{summary['luminosity']:g} fb⁻¹{_origin(summary)}, seed {summary['seed']}.",
        "## Signal strength",
        _results_table(summary),
        f"Expected: Asimov data with {_prediction(summary)}; its limit is the median without "
        "signal.",
        *_agreement(summary),
    ]
    if "cross_section" in summary:
        parts += ["## Cross section", _cross_section(summary)]
    if "networks" in summary:
        parts += ["## Networks", *_networks(summary)]
    if "unfolding" in summary:
        parts += ["## Unfolded spectra", *write_spectra(summary)]
    if summary["truth"] is not None:
        parts += ["## Injected truth", _truth(summary)]
    parts += ["## Yields before the fit", *write_yields(summary)]
    if "cross_checks" in summary:
        text = tabulate_cross_checks(summary["cross_checks"], format_measurement, format_table)
        sample = summary["cross_checks"]["sample"]
        parts += [f"## Estimates of {sample}", "Used, and cross-checks; before the fit.", text]
    if "corrections" in summary:
        rows = list_changes(summary["corrections"])
        parts += ["## Corrections of the simulation", format_table(CHANGES, rows)]
    parts += ["## Gates", *_gates(summary["gates"]), "## Warnings", _list(summary["warnings"])]
    parts += ["## Time", _seconds(summary["seconds"])]
    parts.append(f"Hash of the result (everything but the times): `{summary['result_sha256']}`")
    return "\n\n".join(parts) + "\n"


def _origin(summary: Mapping[str, Any]) -> str:
    pseudo = " of pseudo-data, which are what the nominal simulation expects"
    return pseudo if summary["pseudo_data"] else ""


def _kind(summary: Mapping[str, Any], kind: str) -> str:
    """Name a fit: what is observed in pseudo-data is no observation."""
    return "pseudo-data" if summary["pseudo_data"] and kind == "observed" else kind


def _poi(summary: Mapping[str, Any]) -> str:
    """Write the parameter of interest: a signal strength is μ, another one has its name."""
    return "μ" if summary["poi"] == "mu" else str(summary["poi"])


def _estimate(summary: Mapping[str, Any]) -> str:
    """Write its estimate: μ with a hat, which a longer name cannot have."""
    return "μ\u0302" if summary["poi"] == "mu" else str(summary["poi"])


def _unit(summary: Mapping[str, Any], name: str) -> str:
    """Write the unit of a parameter of interest behind a number; most have none."""
    unit = summary.get("interests", {}).get(name, {}).get("unit", "")
    return f" {escape_markdown(unit)}" if unit else ""


def _prediction(summary: Mapping[str, Any]) -> str:
    """Write what the parameters of interest are in the expected result."""
    known = summary.get("interests", {})
    written = []
    for name in (summary["poi"], *summary.get("others", {})):
        found = known.get(name)
        if found is None:
            written.append(f"{_poi(summary) if name == summary['poi'] else name} = 1")
            continue
        value = f"{name} = {found['prediction'] * found['size']:g}{_unit(summary, name)}"
        source = escape_markdown(found["source"])
        written.append(f"{value} ({source})" if source else value)
    return ", ".join(written)


def _headline(summary: Mapping[str, Any]) -> str:
    observed, name = summary["observed"], _poi(summary)
    if summary["poi"] in list_unfolded(summary):
        return name_spectrum(summary)
    unit = _unit(summary, summary["poi"])
    least = 0 if unit else _MIN_DECIMALS
    if observed is None:
        expected = summary["expected"]
        return (
            f"**Blinded; expected {_estimate(summary)} = {_measured(expected, least)}{unit}**, "
            f"significance {expected['significance']:.2f} σ, "
            f"{name} < {_limit(expected['limit']['expected'], least)}{unit} at "
            f"{_percent(expected['limit']['level'])} CL without signal."
        )
    limit, expected = observed["limit"], summary["expected"]
    if unit:
        predicted = summary["interests"][summary["poi"]]["size"]
        ratio = format_measurement(
            observed["mu_hat"] / predicted, observed["sigma"] / predicted, _MIN_DECIMALS
        )
        digits = count_decimals(expected["sigma"], least)
        return (
            f"**{_estimate(summary)} = {_measured(observed, least)}{unit}**, expected ± "
            f"{expected['sigma']:.{digits}f}{unit}; over the predicted {predicted:g}{unit} it is "
            f"{ratio}.{_caution(summary)}"
        )
    return (
        f"**{_estimate(summary)} = {_measured(observed)}**, significance "
        f"{observed['significance']:.2f} σ, "
        f"{name} < {_limit(limit['observed'])} at {_percent(limit['level'])} CL "
        f"(expected ± {expected['sigma']:.{count_decimals(expected['sigma'], _MIN_DECIMALS)}f} and "
        f"{name} < {_limit(expected['limit']['expected'])})."
        f"{_caution(summary)}"
    )


def _caution(summary: Mapping[str, Any]) -> str:
    """Say beside the result that it is none, if the fit ended at a bound."""
    start = f"{summary['observable']}: observed fit has "
    if not any(warning.startswith(start) for warning in summary["warnings"]):
        return ""
    return " **A parameter is at its bound: no measurement, see the warnings.**"


def _measured(result: Mapping[str, Any], least: int = _MIN_DECIMALS) -> str:
    return format_measurement(result["mu_hat"], result["sigma"], least)


def _limit(value: float, least: int = _MIN_DECIMALS) -> str:
    """Write a limit with two significant digits at least: 0.0034, not 0.00."""
    return f"{value:.{count_decimals(value, least)}f}"


def _percent(level: float) -> str:
    return f"{100 * level:g} %"


def _results_table(summary: Mapping[str, Any]) -> str:
    rows = []
    for name, fit, unit in _fits(summary):
        least = 0 if unit else _MIN_DECIMALS
        for kind in ("expected", "observed"):
            result, shown = fit[kind], f"{name}, {_kind(summary, kind)}"
            if result is None:
                rows.append([shown, *["blinded"] * 4])
                continue
            limit = result["limit"]["expected" if kind == "expected" else "observed"]
            rows.append(
                [
                    shown,
                    _measured(result, least) + unit,
                    _interval(result, least),
                    f"{result['significance']:.2f} σ",
                    _limit(limit, least) + unit,
                ]
            )
    level = _percent(summary["expected"]["limit"]["level"])
    header = [
        "fit",
        f"{'value' if summary.get('others') else _estimate(summary)} ± σ",
        "68.27 % interval",
        "significance",
        f"{level} CLs limit",
    ]
    return format_table(header, rows)


def _fits(summary: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], str]]:
    """List name, results and unit of each parameter of interest of each fit."""
    others = summary.get("others", {})
    several = f": {summary['poi']}" if others else ""
    unit = _unit(summary, summary["poi"])
    fits: list[tuple[str, Mapping[str, Any], str]] = [
        (f"{summary['observable']}{several}", summary, unit)
    ]
    fits += [
        (f"{summary['observable']}: {name}", found, _unit(summary, name))
        for name, found in others.items()
    ]
    reference = summary["reference"]
    if reference is not None:
        fits.append((f"{reference['observable']} (reference)", reference, unit))
    return fits


def _interval(result: Mapping[str, Any], least: int) -> str:
    decimals = count_decimals(result["sigma"], least)
    low, high = (
        f"{end:.{decimals}f}" + (" (bound)" if cut else "")
        for end, cut in zip(result["interval"], result["interval_at_bound"], strict=True)
    )
    return f"[{low}, {high}]"


def _agreement(summary: Mapping[str, Any]) -> list[str]:
    """Say how well the fits describe the data; nothing while blinded."""
    rows = []
    for name, fit, _ in _fits(summary):
        if fit["observed"] is None or "goodness" not in fit["observed"]:
            continue  # other parameters of interest are of the same fit
        goodness, regions = fit["observed"]["goodness"], fit["observed"]["compatibility"]
        rows.append([name, *_chi2(goodness), *(_chi2(regions) if regions else [ABSENT] * 2)])
    if not rows:
        return []
    header = ["fit", "χ² / ndf", "p-value", "regions, χ² / ndf", "p-value"]
    return [
        "Goodness of fit (saturated model), and whether the regions agree on "
        f"{_poi(summary)}; asymptotic.",
        format_table(header, rows),
    ]


def _chi2(found: Mapping[str, Any]) -> list[str]:
    p_value = ABSENT if found["p_value"] is None else f"{found['p_value']:.3g}"
    return [f"{found['statistic']:.1f} / {found['degrees']}", p_value]


def _cross_section(summary: Mapping[str, Any]) -> str:
    found = summary["cross_section"]
    unit = escape_markdown(found["unit"])
    rows = []
    for kind in ("expected", "observed"):
        result, shown = found[kind], _kind(summary, kind)
        if result is None:
            rows.append([shown, *["blinded"] * 2])
            continue
        low, high = result["interval"]
        size = format_measurement(result["value"], result["sigma"])
        rows.append([shown, size, f"[{low:.4g}, {high:.4g}]"])
    rows.append(["predicted", f"{found['predicted']:g}", ABSENT])
    return format_table(["fit", f"σ ({unit})", "68.27 % interval"], rows)


def _networks(summary: Mapping[str, Any]) -> list[str]:
    """Put the networks side by side; their judges are adversaries that trained none of them."""
    networks = summary["networks"]
    judged = dict.fromkeys(name for item in networks.values() for name in item["control"])
    regions = [name for name in judged if name in summary["fitted_regions"]] or list(judged)
    rows = []
    for name, item in networks.items():
        is_result = item["observable"] == summary["observable"]
        observed = item["observed"]
        rows.append(
            [
                f"{name} (result)" if is_result else name,
                _measured(item["expected"]),
                "blinded" if observed is None else _measured(observed),
                "passed" if item["overtraining"] else "FAILED",
                *(_auc(item["control"].get(region)) for region in regions),
                *(_tail(item["control"].get(region)) for region in regions),
            ]
        )
    header = [
        "network",
        "expected",
        _kind(summary, "observed"),
        "overtraining",
        *(f"AUC, {region}" for region in regions),
        *(f"tail, {region}" for region in regions),
    ]
    lines = [
        f"Each network has a fit of its own. `fit.network` says which one is the result "
        f"({_poi(summary)} is given).",
        format_table(header, rows),
    ]
    if regions:
        lines.append(
            "AUC: how well a fresh adversary tells data from simulation by the score (0.5: not at "
            "all). Tail: data over simulation above the tightest working point that has enough "
            "events."
        )
    return lines


def _auc(found: Mapping[str, Any] | None) -> str:
    judge = None if found is None else found["adversary"]
    return ABSENT if judge is None else format_measurement(judge["auc"], judge["sigma"], 3)


def _tail(found: Mapping[str, Any] | None) -> str:
    tails = [] if found is None else [item for item in found["tails"] if item["ratio"] is not None]
    if not tails:
        return ABSENT
    tightest = min(tails, key=lambda item: float(item["efficiency"]))
    ratio = format_measurement(tightest["ratio"], tightest["sigma"], _MIN_DECIMALS)
    return f"{ratio} ({_percent(tightest['efficiency'])})"


def _truth(summary: Mapping[str, Any]) -> str:
    truth, observed = summary["truth"], summary["observed"]
    beside = "blinded"
    if observed is not None:
        low, high = observed["interval"]
        inside = "inside" if low <= truth["mu"] <= high else "outside"
        pull = _pull(observed["mu_hat"] - truth["mu"], observed["sigma"])
        beside = f"{_measured(observed)} ({pull}{inside} the 68.27 % interval)"
    rows = [[f"signal strength {_poi(summary)}", f"{truth['mu']:g}", beside]]
    if summary["poi"] in {*summary.get("interests", {}), *list_unfolded(summary)}:
        rows = [["signal strength", f"{truth['mu']:g}", ABSENT]]  # none is fitted
    factor = summary["transfer_factor"]
    for key, name in true_factors().items():
        if factor is None or key not in truth or "stat" not in factor:
            continue
        pull = _pull(factor["value"] - truth[key], factor["stat"])
        measured = format_measurement(factor["value"], factor["stat"])
        rows.append([name, f"{truth[key]:g}", f"{measured} ({pull.rstrip(', ')})"])
    if "mismodelling" in truth:
        mismodelling = truth["mismodelling"]
        family = mismodelling["family"]
        size = "" if family == "none" else f", size {mismodelling['size']:g}"
        rows.append(["mismodelling of the pseudo-data", f"{family}{size}", ABSENT])
    return format_table(["quantity", "injected", "measured"], rows)


def _pull(difference: float, sigma: float) -> str:
    # A parameter at its bound may have no uncertainty.
    return f"{difference / sigma:+.2f} σ, " if sigma > 0 else ""


def _gates(gates: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not gates:
        return ["None: no network is trained, the fit takes its observables directly."]
    rows = [[name, _verdict(gate), str(gate["action"])] for name, gate in gates.items()]
    return [format_table(["gate", "verdict", "on failure"], rows)]


def _verdict(gate: Mapping[str, Any]) -> str:
    if "not_applicable" in gate:
        return "not applicable"
    return "passed" if gate["passed"] else "FAILED"


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {escape_markdown(item)}" for item in items) if items else "None."


def _seconds(seconds: Mapping[str, float]) -> str:
    if not seconds:
        return "Not recorded."
    slowest = sorted(seconds.items(), key=lambda item: (-item[1], item[0]))
    rows = [[rule, f"{spent:.1f}"] for rule, spent in slowest]
    rows.append(["all jobs, one after the other", f"{sum(seconds.values()):.1f}"])
    return format_table(["rule", "seconds"], rows)
