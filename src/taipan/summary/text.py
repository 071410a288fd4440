"""The summary as Markdown that a terminal can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.clean_text import escape_markdown
from taipan.estimates.registry import true_factors
from taipan.summary.calibrated import list_calibrated
from taipan.summary.corrections import CHANGES, list_changes
from taipan.summary.cross_checks import tabulate_cross_checks
from taipan.summary.details import (
    FitDetails,
    link_slides,
    show_figures,
    tabulate_breakdown,
    tabulate_impacts,
)
from taipan.summary.layout import (
    ABSENT,
    count_decimals,
    format_measurement,
    format_table,
    plain_label,
)
from taipan.summary.opening import write_opening
from taipan.summary.spectrum_tables import list_unfolded, write_spectra
from taipan.summary.words import (
    MIN_DECIMALS,
    write_limit,
    write_measured,
    write_percent,
    write_poi,
    write_unit,
    write_value_name,
)
from taipan.summary.yield_tables import write_yields


def to_markdown(summary: Mapping[str, Any], details: FitDetails | None = None) -> str:
    """Write a summary for people.

    Parameters
    ----------
    summary
        Content of ``summary.json``.
    details
        Figures, impacts and breakdown of the main fit; None leaves their sections out.

    Returns
    -------
    str
        Markdown; the columns of its tables are aligned, so that it can be read as it is.
    """
    parts = [
        f"# {escape_markdown(plain_label(summary['title']))}",
        *write_opening(summary, details),
        f"Analysis `{summary['analysis']}` on `{summary['catalogue']}`: "
        f"{summary['luminosity']:g} fb⁻¹{_origin(summary)}, seed {summary['seed']}.",
        *([] if details is None or not details.slides else [link_slides(details.slides)]),
        "## Signal strength",
        _results_table(summary),
        f"Expected: Asimov data with {_prediction(summary)}; its limit is the median without "
        "signal.",
        *_agreement(summary),
        *_fit_details(summary, details),
        "## Gates and coverage",
        *_gates(summary["gates"]),
        *_coverage(summary),
        "## Warnings",
        _list(summary["warnings"]),
        "## Yields before the fit",
        *write_yields(summary),
        *_further(summary),
        "## Provenance",
        _provenance(summary),
        "## Time",
        _seconds(summary["seconds"]),
        f"Hash of the result (everything but the times): `{summary['result_sha256']}`",
    ]
    return "\n\n".join(parts) + "\n"


def _fit_details(summary: Mapping[str, Any], details: FitDetails | None) -> list[str]:
    """Show the main fit: its figure, the impacts, the parts of its uncertainty."""
    if details is None:
        return []
    unit = write_unit(summary, summary["poi"])
    sections = {
        "## After the fit": show_figures(details, "postfit", "spectra"),
        "## Impacts": [*tabulate_impacts(details, unit), *show_figures(details, "impacts")],
        "## Uncertainty by group": [
            *tabulate_breakdown(details, unit),
            *show_figures(details, "breakdown"),
        ],
    }
    return [part for title, found in sections.items() if found for part in (title, *found)]


def _coverage(summary: Mapping[str, Any]) -> list[str]:
    """Say whether the intervals hold the truth as often as they promise."""
    if "calibration" not in summary:
        return [
            "Coverage of the intervals: not measured in this run; `snakemake --cores all "
            "measure_coverage` does."
        ]
    kinds = {kind: _kind(summary, kind) for kind in ("expected", "observed")}
    decimals = count_decimals(summary["expected"]["sigma"], MIN_DECIMALS)
    lines = list_calibrated(summary["calibration"], kinds, decimals)
    return ["Calibrated intervals:", "\n".join(lines)]


def _further(summary: Mapping[str, Any]) -> list[str]:
    """Write what only some analyses have."""
    parts: list[str] = []
    if "cross_section" in summary:
        parts += ["## Cross section", _cross_section(summary)]
    if "networks" in summary:
        parts += ["## Networks", *_networks(summary)]
    if "unfolding" in summary:
        parts += ["## Unfolded spectra", *write_spectra(summary)]
    if summary["truth"] is not None:
        parts += ["## Injected truth", _truth(summary)]
    if "cross_checks" in summary:
        text = tabulate_cross_checks(summary["cross_checks"], format_measurement, format_table)
        sample = summary["cross_checks"]["sample"]
        parts += [f"## Estimates of {sample}", "Used, and cross-checks; before the fit.", text]
    if "corrections" in summary:
        rows = list_changes(summary["corrections"])
        parts += ["## Corrections of the simulation", format_table(CHANGES, rows)]
    return parts


def _provenance(summary: Mapping[str, Any]) -> str:
    """Say what was run: hashes, and the versions of the packages that make the numbers."""
    found = summary["provenance"]
    rows = [[name, f"`{found[name]}`"] for name in ("config", "catalogue", "code")]
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    table = format_table(["hash of", "value"], rows)
    return f"{table}\n\nPackages: {escape_markdown(packages)}."


def _origin(summary: Mapping[str, Any]) -> str:
    pseudo = " of pseudo-data, which are what the nominal simulation expects"
    return pseudo if summary["pseudo_data"] else ""


def _kind(summary: Mapping[str, Any], kind: str) -> str:
    """Name a fit: what is observed in pseudo-data is no observation."""
    return "pseudo-data" if summary["pseudo_data"] and kind == "observed" else kind


def _prediction(summary: Mapping[str, Any]) -> str:
    """Write what the parameters of interest are in the expected result."""
    known = summary.get("interests", {})
    written = []
    for name in (summary["poi"], *summary.get("others", {})):
        found = known.get(name)
        if found is None:
            written.append(f"{write_poi(summary) if name == summary['poi'] else name} = 1")
            continue
        value = f"{name} = {found['prediction'] * found['size']:g}{write_unit(summary, name)}"
        source = escape_markdown(found["source"])
        written.append(f"{value} ({source})" if source else value)
    return ", ".join(written)


def _results_table(summary: Mapping[str, Any]) -> str:
    rows = []
    for name, fit, unit in _fits(summary):
        least = 0 if unit else MIN_DECIMALS
        for kind in ("expected", "observed"):
            result, shown = fit[kind], f"{name}, {_kind(summary, kind)}"
            if result is None:
                rows.append([shown, *["blinded"] * 4])
                continue
            limit = result["limit"]["expected" if kind == "expected" else "observed"]
            rows.append(
                [
                    shown,
                    write_measured(result, least) + unit,
                    _interval(result, least),
                    f"{result['significance']:.2f} σ",
                    write_limit(limit, least) + unit,
                ]
            )
    level = write_percent(summary["expected"]["limit"]["level"])
    header = [
        "fit",
        f"{'value' if summary.get('others') else write_value_name(summary)} ± σ",
        "68.27 % interval",
        "significance",
        f"{level} CLs limit",
    ]
    return format_table(header, rows)


def _fits(summary: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], str]]:
    """List name, results and unit of each parameter of interest of each fit."""
    others = summary.get("others", {})
    several = f": {summary['poi']}" if others else ""
    unit = write_unit(summary, summary["poi"])
    fits: list[tuple[str, Mapping[str, Any], str]] = [
        (f"{summary['observable']}{several}", summary, unit)
    ]
    fits += [
        (f"{summary['observable']}: {name}", found, write_unit(summary, name))
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
        f"{write_poi(summary)}; asymptotic.",
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
                write_measured(item["expected"]),
                "blinded" if observed is None else write_measured(observed),
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
        f"({write_poi(summary)} is given).",
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
    ratio = format_measurement(tightest["ratio"], tightest["sigma"], MIN_DECIMALS)
    return f"{ratio} ({write_percent(tightest['efficiency'])})"


def _truth(summary: Mapping[str, Any]) -> str:
    truth, others = summary["truth"], summary.get("others", {})
    results = {summary["poi"]: summary, **others}
    injected = truth.get("injected", {})
    other = {*summary.get("interests", {}), *list_unfolded(summary)}
    if not injected and summary["poi"] not in other:
        injected = {summary["poi"]: truth["mu"]}  # a simulation that says nothing but this
    rows = [
        _injected(summary, name, value, results[name]["observed"])
        for name, value in injected.items()
        if name in results
    ]
    if not rows:
        rows = [["signal strength", f"{truth['mu']:g}", ABSENT]]
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


def _injected(
    summary: Mapping[str, Any], name: str, value: float, observed: Mapping[str, Any] | None
) -> list[str]:
    """Put what was injected for a parameter of interest beside what was found."""
    unit = write_unit(summary, name)
    shown = "signal strength μ" if name == "mu" else name
    if not unit and name == summary["poi"]:
        shown = f"signal strength {write_poi(summary)}"
    if observed is None:
        return [shown, f"{value:g}{unit}", "blinded"]
    low, high = observed["interval"]
    inside = "inside" if low <= value <= high else "outside"
    pull = _pull(observed["mu_hat"] - value, observed["sigma"])
    measured = write_measured(observed, 0 if unit else MIN_DECIMALS)
    return [shown, f"{value:g}{unit}", f"{measured}{unit} ({pull}{inside} the 68.27 % interval)"]


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
