"""Lines about the fit: coverage, linearity, agreement with the data, parameters at bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from taipan.atomic import read_json
from taipan.certify.lines import Line, judge, lack
from taipan.inference import compile_model
from taipan.inference.toys import fit_pseudo_data

_INJECTED = (0.0, 1.0, 2.0)
"""Signal strengths, in units of the predicted one, of the Asimov data that must come back."""
_LARGEST_OFFSET = 0.02
"""Largest |found − injected| of Asimov data, in units of σ: rounding, never physics."""
_SMALLEST_PROBABILITY = 0.01
_LARGEST_PULL = 3.0
"""Of what was found in simulated data from what was put in, σ."""
_LARGEST_HIDDEN = 1.0
"""What hidden changes of 1 σ may move the estimate by, in its σ."""
_LARGEST_WIDENING = 0.1
"""What they may widen the expected interval by, if they were a nuisance parameter."""


def judge_coverage(results: Path, observable: str) -> list[Line]:
    """Give the line of the pseudo-experiments with shifted events, if they were made."""
    link = f"coverage/{observable}.json"
    if not (results / link).is_file():
        return [
            lack("coverage of the interval", "scale.md", "snakemake measure_coverage measures it")
        ]
    found = read_json(results / link)
    levels = ", ".join(
        f"{100 * item['fraction']:.1f} % of {100 * item['level']:.4g} %"
        for item in found["intervals"]
    )
    bias, error = found["pull_mean"]
    return [
        judge(
            "coverage of the interval",
            levels,
            "within 2 binomial σ, and intervals 30 % too short fail",
            passed=bool(found["passed"] and found["has_power"]),
            link=link,
            reason=f"{found['n']} pseudo-experiments",
        ),
        judge(
            "bias of the pseudo-experiments",
            f"mean pull {bias:+.3f} ± {error:.3f}",
            f"below 0.1 within {_LARGEST_PULL:g} standard errors",
            passed=abs(bias) <= 0.1 + _LARGEST_PULL * error,
            link=link,
            reason="the estimate is biased by more than a tenth of σ",
        ),
    ]


def judge_linearity(results: Path, observable: str) -> list[Line]:
    """Fit Asimov data of several injected signals: what comes back is what was put in.

    Parameters
    ----------
    results
        Folder of the analysis in the results.
    observable
        Observable of the fit.
    """
    link = f"workspaces/{observable}.json"
    if not (results / link).is_file():
        return [lack("injected signal comes back", link, f"{link} is missing")]
    model = compile_model(read_json(results / link))
    prediction = float(model.parameters.initial[model.poi])
    injected = prediction * np.array(_INJECTED)
    data = np.array([model.asimov(model.nominal(float(mu))) for mu in injected])
    found = fit_pseudo_data(model, data, model.nominal(prediction))[0]
    offsets = np.abs(found["mu_hat"] - injected) / found["sigma"]
    largest = float(np.max(offsets)) if np.isfinite(offsets).all() else float("inf")
    slope = float(np.polyfit(injected, found["mu_hat"], 1)[0]) if largest < np.inf else 0.0
    return [
        judge(
            "injected signal comes back",
            f"slope {slope:.4f}, largest offset {largest:.1e} σ",
            f"≤ {_LARGEST_OFFSET:g} σ for {_INJECTED[0]:g} to {_INJECTED[-1]:g} × prediction",
            passed=largest <= _LARGEST_OFFSET,
            link=link,
            reason="the fit does not return the signal of Asimov data",
        )
    ]


def judge_agreement(summary: Mapping[str, Any]) -> Iterator[Line]:
    """Give lines about model and data; none of a blinded run but those that say so.

    Parameters
    ----------
    summary
        Content of ``summary.json``.
    """
    observed, link = summary["observed"], f"fit/{summary['observable']}.json"
    if observed is None:
        yield lack("model and data agree", link, "the run is blinded")
        return
    for name, key in (("model and data agree", "goodness"), ("regions agree", "compatibility")):
        found = observed.get(key)
        if found is not None:
            yield judge(
                name,
                f"p = {found['p_value']:.3g}",
                f"p ≥ {_SMALLEST_PROBABILITY:g}",
                passed=found["p_value"] >= _SMALLEST_PROBABILITY,
                link=link,
                reason="the model does not describe the data",
            )
    yield from _judge_truth(summary, link)
    yield _judge_bounds(summary, link)


def _judge_truth(summary: Mapping[str, Any], link: str) -> Iterator[Line]:
    """Compare what was found in simulated data with what was put in."""
    truth = summary["truth"] or {}
    injected, family = truth.get("injected", {}), truth.get("mismodelling", {}).get("family")
    views = {summary["poi"]: summary, **summary.get("others", {})}
    mismodelled = "" if family in (None, "none") else f", with a fault in {family}"
    for poi, value in injected.items():
        if poi in views and views[poi]["observed"] is not None:
            observed = views[poi]["observed"]
            pull = (observed["mu_hat"] - value) / observed["sigma"]
            yield judge(
                f"injected {poi} is found{mismodelled}",
                f"{pull:+.2f} σ",
                f"between ±{_LARGEST_PULL:g} σ",
                passed=abs(pull) <= _LARGEST_PULL,
                link=link,
                reason=f"{value:g} was put in, {observed['mu_hat']:.4g} was found",
            )


def _judge_bounds(summary: Mapping[str, Any], link: str) -> Line:
    name, start = "no parameter at a bound", f"{summary['observable']}:"
    own = [text for text in summary["warnings"] if text.startswith(start)]
    held = [text for text in own if "at a bound" in text]
    cut = [text for text in own if "is cut off at" in text]
    if cut and not held:
        return Line(name, "an interval is cut off", "0", "noted", link, "; ".join(cut))
    return judge(name, str(len(held)), "0", passed=not held, link=link, reason="; ".join(held))


def judge_closure(results: Path) -> list[Line]:
    """Give a line for each estimate from data that was compared with another one."""
    link = "templates/cross_checks.json"
    if not (results / link).is_file():
        reason = "no estimate has `cross_checks`: another estimate of the same background"
        return [lack("closure of estimates from data", "estimates.md", reason)]
    compared = read_json(results / link)
    return [
        judge(
            f"{compared['sample']} in {region}: the estimate and {name}",
            f"p = {other['difference']['p_value']:.3g}",
            f"p ≥ {_SMALLEST_PROBABILITY:g}",
            passed=other["difference"]["p_value"] >= _SMALLEST_PROBABILITY,
            link=link,
            reason="two estimates of one background disagree",
        )
        for region, found in compared["regions"].items()
        for name, other in found["others"].items()
    ]


def judge_robustness(results: Path) -> list[Line]:
    """Give the line about changes within the uncertainties, if the attacks were made."""
    name, link = "hidden sensitivity of the network", "robustness/robustness.json"
    if not (results / link).is_file():
        if not any(results.glob("models/**/*.onnx")):
            return []
        return [lack(name, "robustness.md", "snakemake robustness measures it")]
    found = read_json(results / link)["result"]
    wider = found["sigma_with"] / found["sigma"] - 1.0
    return [
        judge(
            name,
            f"estimate {found['shift']:+.2f} σ, interval {100 * wider:+.1f} %",
            f"≤ {_LARGEST_HIDDEN:g} σ and ≤ {100 * _LARGEST_WIDENING:g} %",
            passed=abs(found["shift"]) <= _LARGEST_HIDDEN and wider <= _LARGEST_WIDENING,
            link=link,
            reason="changes that no distribution shows would change the result",
        )
    ]
