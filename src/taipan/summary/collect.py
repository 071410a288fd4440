"""Everything a run found, as one dictionary for JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from taipan.config.model import Config
from taipan.config.sections.fit import fitted_regions
from taipan.errors import TaipanError
from taipan.estimates.registry import true_factors
from taipan.summary.calibrated import calibrate_fit
from taipan.summary.corrections import sum_corrections
from taipan.summary.cross_sections import describe_cross_section
from taipan.summary.read import YieldTable

_RESULT_KEYS = ("mu_hat", "sigma", "interval", "interval_at_bound", "significance", "limit")
_OBSERVED_KEYS = (*_RESULT_KEYS, "goodness", "compatibility")
_TRUTH_KEYS = ("mu", "luminosity", *true_factors(), "mismodelling")
# Reason that the likelihood records where a control region is one bin by configuration.
_BY_CONFIGURATION = ["fitted as a yield"]
_REASONS = 2  # of a merging that are spelled out
_NOT_HASHED = ("seconds", "result_sha256")


@dataclass(frozen=True)
class RunIdentity:
    """What was run.

    Attributes
    ----------
    catalogue
        Name of the dataset catalogue.
    luminosity
        Integrated luminosity of the analysed data in fb⁻¹.
    seed
        The one seed of the configuration.
    config_hash, catalogue_hash, code
        Hashes of the configuration, of the catalogue and of the modules that make the numbers.
    packages
        Name → version.
    pseudo_data
        Whether what the nominal simulation expects stands for the data.
    """

    catalogue: str
    luminosity: float
    seed: int
    config_hash: str
    catalogue_hash: str
    code: str
    packages: Mapping[str, str]
    pseudo_data: bool = False


@dataclass(frozen=True)
class RunResults:
    """What the stages of a run left, as read from their files.

    Attributes
    ----------
    fit, reference
        Results of :func:`taipan.inference.run_inference`; `reference` None if not configured.
    records
        Records of :func:`taipan.likelihood.build_workspace`, one an observable.
    gates
        Name → verdict.
    yields
        Content of ``yields.csv``.
    transfer_factor
        Measured opposite-sign/same-sign factor, None if the analysis has none.
    truth
        Truth record of the embedded simulation, None for real data.
    skipped
        Records of chunks that the skim left out: `luminosity` of the data that were read (of the
        first record, in fb⁻¹) and `warnings`.
    scaled
        Parameter of interest → datasets of the samples that it multiplies.
    cross_checks
        Estimates that are compared, None if there are no cross-checks.
    networks
        Of :func:`taipan.summary.networks.compare_networks`; empty if there is only one network.
    corrections
        Record of the rule `list_corrections`; None if nothing is corrected.
    calibration
        Record of the rule `calibrate_intervals`; None if intervals are as they are fitted.
    """

    fit: Mapping[str, Any]
    reference: Mapping[str, Any] | None
    records: Sequence[Mapping[str, Any]]
    gates: Mapping[str, Mapping[str, Any]]
    yields: YieldTable
    transfer_factor: Mapping[str, Any] | None
    truth: Mapping[str, Any] | None
    skipped: Sequence[Mapping[str, Any]] = ()
    scaled: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cross_checks: Mapping[str, Any] | None = None
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    corrections: Mapping[str, Any] | None = None
    calibration: Mapping[str, Any] | None = None


def summarise(
    settings: Config, run: RunIdentity, results: RunResults, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Put the results of a run together.

    Parameters
    ----------
    settings
        Sections `analysis`, `title`, `regions` and `fit` of the configuration.
    run
        What was run.
    results
        What it found.
    seconds
        Rule → wall-clock seconds; the only part that may differ between equal runs.

    Returns
    -------
    dict
        Content of ``summary.json``; the keys are described in ``docs/outputs.md``. While the
        analysis is blinded, `observed` is None and the yields hold no data of signal regions.

    Raises
    ------
    TaipanError
        If the results do not belong to the configuration or to each other; names the key.
    """
    _check_consistency(settings, results)
    blinded = bool(results.fit["blinded"])
    fitted = fitted_regions(settings.regions, settings.fit)
    reference = results.reference
    content: dict[str, Any] = {
        "analysis": settings.analysis,
        "title": settings.title,
        "catalogue": run.catalogue,
        "luminosity": results.skipped[0]["luminosity"] if results.skipped else run.luminosity,
        "seed": run.seed,
        "provenance": {
            "config": run.config_hash,
            "catalogue": run.catalogue_hash,
            "code": run.code,
            "packages": dict(run.packages),
        },
        "pseudo_data": run.pseudo_data,
        "blinded": blinded,
        "poi": settings.fit.poi,
        "observable": settings.fit.observable,
        "expected": _result(results.fit["expected"]),
        "observed": _observed(results.fit["observed"]),
        "reference": None
        if reference is None
        else {
            "observable": reference["observable"],
            "expected": _result(reference["expected"]),
            "observed": _observed(reference["observed"]),
        },
        **_others(results.fit),
        **{key: results.fit[key] for key in ("interests", "unfolding") if key in results.fit},
        **_cross_sections(settings, results.fit),
        **_networks(results.networks),
        **_corrections(results.corrections, fitted),
        **_calibration(results.calibration, results.fit),
        "gates": {
            name: {
                "passed": bool(verdict["passed"]),
                "action": verdict["action"],
                **{key: verdict[key] for key in ("not_applicable",) if key in verdict},
            }
            for name, verdict in results.gates.items()
        },
        "fitted_regions": fitted,
        "yields": _visible_yields(results.yields, settings, blinded),
        "transfer_factor": _plain(results.transfer_factor),
        **({} if results.cross_checks is None else {"cross_checks": dict(results.cross_checks)}),
        "truth": None
        if results.truth is None
        else {
            **{key: results.truth[key] for key in _TRUTH_KEYS if key in results.truth},
            **_injected(results),
        },
        "warnings": _collect_warnings(results),
        "seconds": dict(seconds),
    }
    return {**content, "result_sha256": hash_result(content)}


def hash_result(summary: Mapping[str, Any]) -> str:
    """Hash a summary without what may differ between equal runs.

    Parameters
    ----------
    summary
        Content of ``summary.json``.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits, of ``json.dumps(content, sort_keys=True)``, where content
        is the summary without ``seconds`` and ``result_sha256``.
    """
    content = {key: value for key, value in summary.items() if key not in _NOT_HASHED}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check_consistency(settings: Config, results: RunResults) -> None:
    wanted = [("fit.observable", settings.fit.observable, results.fit)]
    if (settings.fit.reference is None) != (results.reference is None):
        raise TaipanError(
            f"fit.reference is {settings.fit.reference!r}, but a reference fit was "
            f"{'not ' if results.reference is None else ''}given"
        )
    if results.reference is not None and settings.fit.reference is not None:
        wanted.append(("fit.reference", settings.fit.reference, results.reference))
    for key, observable, fit in wanted:
        if fit["observable"] != observable:
            raise TaipanError(f"{key} is '{observable}', but the fit is of '{fit['observable']}'")
        if bool(fit["blinded"]) == settings.fit.unblind:
            raise TaipanError(
                f"fit.unblind is {settings.fit.unblind}, but the fit of '{observable}' says "
                f"blinded: {fit['blinded']}"
            )
    for region in settings.regions:
        if region not in results.yields:
            raise TaipanError(
                f"regions.{region}: the table of yields has only {', '.join(results.yields)}"
            )


def _result(full: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if full is None else {key: full[key] for key in _RESULT_KEYS}


def _observed(full: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if full is None else {key: full[key] for key in _OBSERVED_KEYS}


def _others(fit: Mapping[str, Any]) -> dict[str, Any]:
    """Give the results of the other parameters of interest, if there are several."""
    if "others" not in fit:
        return {}
    kinds = ("expected", "observed")
    return {
        "others": {
            name: {kind: _result(found[kind]) for kind in kinds}
            for name, found in fit["others"].items()
        }
    }


def _injected(results: RunResults) -> dict[str, Any]:
    """Give what the simulation put in for each parameter of interest, as far as it says so."""
    strengths = (results.truth or {}).get("strengths", {})
    interests = results.fit.get("interests", {})
    found = {}
    for name, datasets in results.scaled.items():
        factors = {strengths.get(dataset) for dataset in datasets}
        if len(factors) == 1 and None not in factors:
            found[name] = factors.pop() * interests.get(name, {}).get("size", 1.0)
    return {"injected": found} if found else {}


def _networks(networks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Give the results of each of several networks."""
    if not networks:
        return {}
    return {
        "networks": {
            name: {
                "observable": found["observable"],
                "expected": _result(found["fit"]["expected"]),
                "observed": _observed(found["fit"]["observed"]),
                "overtraining": found["overtraining"],
                "control": found["control"],
            }
            for name, found in networks.items()
        }
    }


def _corrections(record: Mapping[str, Any] | None, fitted: Sequence[str]) -> dict[str, Any]:
    return {} if record is None else {"corrections": sum_corrections(record, fitted)}


def _calibration(record: Mapping[str, Any] | None, fit: Mapping[str, Any]) -> dict[str, Any]:
    return {} if record is None else {"calibration": calibrate_fit(record, fit)}


def _cross_sections(settings: Config, fit: Mapping[str, Any]) -> dict[str, Any]:
    """Give strength times cross section, if the configuration says what a strength of 1 is."""
    one = settings.fit.cross_section
    if one is None:
        return {}
    return {"cross_section": describe_cross_section(one.value, one.unit, fit)}


def _plain(content: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if content is None else dict(content)


def _visible_yields(yields: YieldTable, settings: Config, blinded: bool) -> YieldTable:
    """Leave the data of signal regions out while the analysis is blinded."""
    hidden = {
        name for name, region in settings.regions.items() if blinded and region.role == "signal"
    }
    return {
        region: {
            process: value
            for process, value in found.items()
            if not (region in hidden and process == "data")
        }
        for region, found in yields.items()
    }


def _collect_warnings(results: RunResults) -> list[str]:
    warnings = [line for record in results.skipped for line in record["warnings"]]
    warnings += [] if results.corrections is None else results.corrections["warnings"]
    for name, verdict in results.gates.items():
        if not verdict["passed"]:
            failed = [c["name"] for c in verdict.get("conditions", ()) if not c["passed"]]
            total = len(verdict.get("conditions", ()))
            which = f": {len(failed)} of {total} conditions" if failed else ""
            names = f" ({', '.join(dict.fromkeys(failed))})" if failed else ""
            warnings.append(f"gate {name} failed{which}{names}")
        warnings += verdict.get("warnings", ())
    for record in results.records:
        observable = record["observable"]
        warnings += [f"{observable}: {text}" for text in record["warnings"]]
        for region, found in record["regions"].items():
            warnings += [
                f"{observable}: {region}: bins {_span(merged['bins'])} merged "
                f"({merged['low']:g} to {merged['high']:g}): {_why(merged['reasons'], observable)}"
                for merged in found["merged"]
                if list(merged["reasons"]) != _BY_CONFIGURATION
            ]
    others = [found["fit"] for found in results.networks.values()]
    for fit in (results.fit, results.reference, *others):
        if fit is not None and (
            fit is results.fit or fit["observable"] != results.fit["observable"]
        ):
            warnings += _bound_warnings(fit)
    return warnings


def _why(reasons: Sequence[str], observable: str) -> str:
    """Give the first reasons of a merging; all of them stand in the record."""
    said = "; ".join(reasons[:_REASONS])
    more = len(reasons) - _REASONS
    record = f"workspaces/{observable}_record.json"
    return said + (f"; and {more} more reasons ({record})" if more > 0 else "")


def _span(bins: Sequence[int]) -> str:
    return f"{bins[0]}-{bins[-1]}"


def _bound_warnings(fit: Mapping[str, Any]) -> list[str]:
    warnings = []
    for kind in ("expected", "observed"):
        result = fit[kind]
        if result is None:
            continue
        bounded = [p["name"] for p in result["parameters"] if p["at_bound"]]
        if bounded:
            warnings.append(
                f"{fit['observable']}: {kind} fit has {', '.join(bounded)} at a bound; σ there "
                "is no interval"
            )
        ends = zip(result["interval"], result["interval_at_bound"], strict=True)
        cut = [f"{end:g}" for end, at_bound in ends if at_bound]
        if cut:
            warnings.append(
                f"{fit['observable']}: {kind} interval is cut off at {' and '.join(cut)} by "
                "fit.poi_range"
            )
    return warnings
