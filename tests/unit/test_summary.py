"""The summary of a run: what it takes over, what it hides, and that equal runs give equal files."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taipan.config.base import Cited
from taipan.config.model import Config
from taipan.config.sections.fit import Interest
from taipan.config.slices import slice_config
from taipan.errors import TaipanError
from taipan.stages.summarize import summarize
from taipan.summary import (
    RunIdentity,
    RunResults,
    hash_result,
    read_gates,
    read_seconds,
    read_yield_table,
    summarise,
    to_markdown,
)
from taipan.summary.details import select_details
from taipan.summary.text import format_measurement, format_table, plain_label

IDENTITY = RunIdentity("fastsim", 2.0, 7, "0123", "89ab", "4567", {"taipan": "0.1.0"})
REGIONS = ("signal", "w_control", "ss_signal", "ss_w_control", "antiiso_os", "antiiso_ss")
YIELDS = {
    "ggH": {"yield": 26.25, "stat": 0.23},
    "ZTT": {"yield": 973.75, "stat": 30.0},
    "data": {"yield": 1100.0, "stat": 33.166},
}
TRUTH = {
    "seed": 1,
    "mu": 1.0,
    "luminosity": 2.0,
    "qcd_os_ss_factor": 1.06,
    "mismodelling": {"family": "none", "size": 1.0, "jet_scale": 0.0},
    "pile_up": {},
}
CITED = {"value": 1200.0, "unit": "pb", "source": "NNLO"}
CONTROL = {"bins": [0, 1], "low": 0.0, "high": 1.0, "reasons": ["fitted as a yield"]}
MERGED = {"bins": [10, 11], "low": 0.9, "high": 0.97, "reasons": ["QCD is -0.5"]}


def result(mu: float, sigma: float, bounded: bool = False) -> dict[str, Any]:
    return {
        "mu_hat": mu,
        "sigma": sigma,
        "interval": [mu - sigma, mu + sigma],
        "interval_at_bound": [False, False],
        "significance": max(mu, 0.0) / sigma,
        "p_value": 0.3,
        "limit": {
            "level": 0.95,
            "observed": mu + 2 * sigma,
            "expected": 2 * sigma,
            "expected_band": [0.5 * sigma, sigma, 2 * sigma, 3 * sigma, 4 * sigma],
        },
        "nll": 40.0,
        "parameters": [
            {"name": "mu", "at_bound": bounded},
            {"name": "luminosity", "at_bound": False},
        ],
    }


def fit(observable: str, observed: dict[str, Any] | None, sigma: float = 2.5) -> dict[str, Any]:
    return {
        "observable": observable,
        "poi": "mu",
        "blinded": observed is None,
        "expected": result(1.0, sigma),
        "observed": None
        if observed is None
        else {
            "goodness": {"statistic": 23.25, "degrees": 13, "p_value": 0.03883},
            "compatibility": None,
            **observed,
        },
    }


def record(observable: str, warnings: list[str]) -> dict[str, Any]:
    return {
        "observable": observable,
        "blinded": False,
        "regions": {"signal": {"merged": [MERGED]}, "w_control": {"merged": [CONTROL]}},
        "warnings": warnings,
    }


def verdict(passed: bool) -> dict[str, Any]:
    conditions = [
        {"name": "auc_gap", "fold": 0, "passed": passed},
        {"name": "auc_gap", "fold": 1, "passed": passed},
        {"name": "ks_probability_signal", "fold": 0, "passed": True},
    ]
    return {"passed": passed, "action": "warn", "conditions": conditions}


def found(**changes: Any) -> RunResults:
    """Results of an unblinded fastsim run."""
    results = RunResults(
        fit=fit("nn_score", result(3.0, 2.0)),
        reference=fit("m_vis", result(-4.0, 8.0), 9.0),
        records=[record("nn_score", ["QCD left out"])],
        gates={"check_overtraining": verdict(True)},
        yields={region: copy.deepcopy(YIELDS) for region in REGIONS},
        transfer_factor={"value": 1.08, "stat": 0.04},
        truth=TRUTH,
    )
    return replace(results, **changes)


def blinded_results() -> RunResults:
    return found(fit=fit("nn_score", None), reference=fit("m_vis", None))


def with_fit(config: Config, **changes: Any) -> Config:
    return config.model_copy(update={"fit": config.fit.model_copy(update=changes)})


def test_numbers_are_those_of_the_fits(analysis_config: Config) -> None:
    summary = summarise(analysis_config, IDENTITY, found(), {"fit": 3.5})
    assert list(summary) == [
        *("analysis", "title", "catalogue", "luminosity", "seed", "provenance"),
        *("pseudo_data", "blinded"),
        *("poi", "observable", "expected", "observed", "reference", "gates", "fitted_regions"),
        *("yields", "transfer_factor", "truth", "warnings", "seconds", "result_sha256"),
    ]
    assert summary["expected"]["sigma"] == 2.5
    assert summary["observed"]["mu_hat"] == 3.0
    assert summary["observed"]["interval"] == [1.0, 5.0]
    assert summary["observed"]["limit"]["observed"] == 7.0
    keys = ["mu_hat", "sigma", "interval", "interval_at_bound", "significance", "limit"]
    assert list(summary["expected"]) == keys
    assert list(summary["observed"]) == [*keys, "goodness", "compatibility"]
    assert summary["reference"]["observable"] == "m_vis"
    assert summary["reference"]["observed"]["sigma"] == 8.0
    assert summary["yields"]["signal"]["data"] == {"yield": 1100.0, "stat": 33.166}
    assert summary["fitted_regions"] == ["signal", "w_control"]
    assert summary["truth"]["mu"] == 1.0
    assert summary["provenance"] == {
        "config": "0123",
        "catalogue": "89ab",
        "code": "4567",
        "packages": {"taipan": "0.1.0"},
    }


def test_hash_ignores_seconds_and_nothing_else(analysis_config: Config) -> None:
    first = summarise(analysis_config, IDENTITY, found(), {"fit": 3.5})
    slower = summarise(analysis_config, IDENTITY, found(), {"fit": 99.0})
    assert first["result_sha256"] == slower["result_sha256"] == hash_result(slower)
    assert len(first["result_sha256"]) == 64
    for key, value in first.items():
        changed = {**first, key: [value, "changed"]}
        same = key in ("seconds", "result_sha256")
        assert (hash_result(changed) == first["result_sha256"]) is same, key


def test_a_blinded_summary_holds_no_data_of_the_signal_region(analysis_config: Config) -> None:
    """The table of yields has the data of every region, whatever is blinded."""
    blind = with_fit(analysis_config, unblind=False)
    summary = summarise(blind, IDENTITY, blinded_results(), {})
    assert summary["blinded"]
    assert summary["observed"] is None
    assert summary["reference"]["observed"] is None
    assert "data" not in summary["yields"]["signal"]
    assert summary["yields"]["w_control"]["data"]["yield"] == 1100.0
    text = to_markdown(summary)
    assert "**Blinded; expected μ̂ = 1.00 ± 2.50**" in text
    signal_rows = [line for line in text.splitlines() if line.startswith("| data")]
    assert "blinded" in signal_rows[0]
    assert "blinded" in signal_rows[1]


def test_markdown_says_the_result_beside_the_truth(analysis_config: Config) -> None:
    text = to_markdown(summarise(analysis_config, IDENTITY, found(), {"fit": 3.5, "train": 20.0}))
    lines = text.splitlines()
    assert lines[0] == "# H→ττ→μτ_h at 8 TeV"
    assert lines[2].startswith(
        "What was measured: **μ̂ = 3.00 ± 2.00**, significance 1.50 σ, μ < 7.00 at 95 % CL"
    )
    assert "(expected ± 2.50 and μ < 5.00)" in lines[2]
    # the expected limit is the one without signal (5.00), not that of the Asimov data (6.00)
    limits = {
        line.split("|")[1].strip(): line.split("|")[5].strip()
        for line in lines
        if line.startswith(("| nn_score", "| m_vis")) and line.count("|") > 5
    }
    assert limits["nn_score, expected"] == "5.00"
    assert limits["nn_score, observed"] == "7.00"
    assert limits["m_vis (reference), expected"] == "18.00"
    assert "3.00 ± 2.00 (+1.00 σ, inside the 68.27 % interval)" in text
    assert "1.080 ± 0.040 (+0.50 σ)" in text
    # 26.25 + 973.75 expected, 1100 seen; 33.166 and 1.1 × 30.0009 added in quadrature
    assert "1000 ± 30" in text
    assert "1.100 ± 0.047" in text
    assert "| all jobs, one after the other |    23.5 |" in text
    assert max(len(line) for line in lines if line.startswith("|")) < 110


def test_truth_outside_the_interval_is_called_so(analysis_config: Config) -> None:
    results = found(fit=fit("nn_score", result(9.0, 2.0)))
    text = to_markdown(summarise(analysis_config, IDENTITY, results, {}))
    assert "(+4.00 σ, outside the 68.27 % interval)" in text


def test_a_parameter_at_its_bound_has_no_pull(analysis_config: Config) -> None:
    bounded = fit("nn_score", {**result(-20.0, 1.0, bounded=True), "sigma": 0.0})
    summary = summarise(analysis_config, IDENTITY, found(fit=bounded), {})
    assert "nn_score: observed fit has mu at a bound" in " ".join(summary["warnings"])
    text = to_markdown(summary)
    assert "(outside the 68.27 % interval)" in text
    assert "at its bound: no measurement" in text


def test_an_interval_that_ends_at_the_allowed_range_is_called_cut_off(
    analysis_config: Config,
) -> None:
    """A run on very few events gave [-20.00, 8.26], where -20 is only the bound of the fit."""
    cut = {"interval": [-20.0, 8.3], "interval_at_bound": [True, False]}
    results = found(fit=fit("nn_score", {**result(-10.0, 18.0), **cut}))
    summary = summarise(analysis_config, IDENTITY, results, {})
    assert summary["observed"]["interval_at_bound"] == [True, False]
    assert summary["warnings"][-1] == (
        "nn_score: observed interval is cut off at -20 by fit.poi_range"
    )
    text = to_markdown(summary)
    assert "[-20.00 (bound), 8.30]" in text
    assert text.count("(bound)") == 1


def test_agreement_of_data_and_fit_is_in_the_summary(analysis_config: Config) -> None:
    regions = {"signal": [1.0, 2.0], "boosted": [4.0, 3.0]}
    both = {"regions": regions, "statistic": 0.72, "degrees": 1, "p_value": 0.396}
    results = found(fit=fit("nn_score", {**result(3.0, 2.0), "compatibility": both}))
    summary = summarise(analysis_config, IDENTITY, results, {})
    assert summary["observed"]["goodness"]["p_value"] == 0.03883
    assert summary["observed"]["compatibility"] == both
    assert "goodness" not in summary["expected"]
    lines = [line.split("|") for line in to_markdown(summary).splitlines() if "23." in line]
    cells = [[cell.strip() for cell in line[1:-1]] for line in lines]
    assert cells == [
        ["nn_score", "23.2 / 13", "0.0388", "0.7 / 1", "0.396"],
        ["m_vis (reference)", "23.2 / 13", "0.0388", "–", "–"],
    ]
    blind = with_fit(analysis_config, unblind=False)
    text = to_markdown(summarise(blind, IDENTITY, blinded_results(), {}))
    assert "Goodness of fit" not in text


def test_truth_of_a_small_simulation_has_fewer_keys(analysis_config: Config) -> None:
    results = found(truth={"mu": 1.0, "luminosity": 0.1, "seed": 1})
    summary = summarise(analysis_config, IDENTITY, results, {})
    assert summary["truth"] == {"mu": 1.0, "luminosity": 0.1}
    text = to_markdown(summary)
    assert "signal strength μ" in text
    assert "mismodelling" not in text


def test_strength_is_given_as_a_cross_section(analysis_config: Config) -> None:
    cited = Cited(value=2000.0, unit="pb", source="test")
    fit = analysis_config.fit.model_copy(update={"cross_section": cited})
    config = analysis_config.model_copy(update={"fit": fit})
    results = found()
    summary = summarise(config, IDENTITY, results, {})
    observed = results.fit["observed"]
    assert summary["cross_section"]["predicted"] == 2000.0
    assert summary["cross_section"]["observed"] == {
        "value": 2000.0 * observed["mu_hat"],
        "sigma": 2000.0 * observed["sigma"],
        "interval": [2000.0 * end for end in observed["interval"]],
    }
    assert "| observed  | 6000 ± 4000 |" in to_markdown(summary)
    blind = summarise(with_fit(config, unblind=False), IDENTITY, blinded_results(), {})
    assert blind["cross_section"]["observed"] is None
    assert "| observed  |" in to_markdown(blind)
    assert "cross_section" not in summarise(analysis_config, IDENTITY, results, {})


def test_a_parameter_of_another_name_is_not_called_mu(analysis_config: Config) -> None:
    config = with_fit(analysis_config, poi="ttbar_norm")
    summary = summarise(config, IDENTITY, found(), {})
    assert summary["poi"] == "ttbar_norm"
    text = to_markdown(summary)
    assert "μ" not in text.replace("H→ττ→μτ", "")
    assert "**ttbar_norm = 3.00 ± 2.00**, significance 1.50 σ, ttbar_norm < 7.00 at" in text
    assert "| ttbar_norm ± σ |" in text
    assert "| signal strength ttbar_norm " in text
    blind = with_fit(config, unblind=False)
    hidden = to_markdown(summarise(blind, IDENTITY, blinded_results(), {}))
    assert "**Blinded; expected ttbar_norm = 1.00 ± 2.50**" in hidden
    assert "μ" not in hidden.replace("H→ττ→μτ", "")


def test_calibrated_interval_stands_beside_the_fitted_one(analysis_config: Config) -> None:
    """Quantiles at ∓2: both sides of the interval are twice as long."""
    record = {
        "lower": [-2.0, 0.0], "upper": [2.0, 0.0], "span": [0.0, 3.0], "experiments": 400,
        "judged": {"as_fitted": {"coverage": 0.4}, "calibrated": {"coverage": 0.69}},
    }  # fmt: skip
    summary = summarise(analysis_config, IDENTITY, found(calibration=record), {})
    calibration = summary["calibration"]
    # fitted: 1 ± 2.5 and 3 ± 2
    assert calibration["expected"] == pytest.approx([-4.0, 6.0], abs=0.02)
    assert calibration["observed"] == pytest.approx([-1.0, 7.0], abs=0.02)
    assert calibration["level"] == 0.6827
    text = to_markdown(summary)
    assert "- 68.27 % interval, observed: [-1.00, 7.00]" in text
    # √(0.6827 × 0.3173 / 400) = 2.3 %
    assert "40.0 % of the intervals held the truth as fitted, 69.0 % calibrated" in text
    assert "(promised: 68.27 % ± 2.3 %)" in text
    blind = with_fit(analysis_config, unblind=False)
    hidden = summarise(blind, IDENTITY, replace(blinded_results(), calibration=record), {})
    assert hidden["calibration"]["observed"] is None
    assert "- 68.27 % interval, observed: blinded" in to_markdown(hidden)


def test_several_parameters_of_interest_stand_in_one_table(analysis_config: Config) -> None:
    both = {"mu_ggH": ["ggH"], "mu_qqH": ["qqH"]}
    config = with_fit(analysis_config, parameters_of_interest=both, poi="mu_ggH")
    fitted = {
        **fit("nn_score", result(1.5, 2.0)),
        "poi": "mu_ggH",
        "others": {"mu_qqH": {"expected": result(1.0, 4.0), "observed": result(-3.0, 4.5)}},
    }
    summary = summarise(config, IDENTITY, found(fit=fitted), {"fit": 3.5})
    assert summary["others"]["mu_qqH"]["observed"]["mu_hat"] == -3.0
    text = to_markdown(summary)
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| nn_score: ")]
    assert [[cell.strip() for cell in row] for row in rows[:4]] == [
        ["nn_score: mu_ggH, expected", "1.00 ± 2.50"],
        ["nn_score: mu_ggH, observed", "1.50 ± 2.00"],
        ["nn_score: mu_qqH, expected", "1.00 ± 4.00"],
        ["nn_score: mu_qqH, observed", "-3.00 ± 4.50"],
    ]


def test_a_measured_cross_section_is_in_its_unit(analysis_config: Config) -> None:
    cited = {"value": 1200.0, "unit": "pb", "source": "NNLO"}
    sigma = Interest.model_validate({"samples": ["ZTT"], "cross_section": cited})
    both = {"sigma_ztt": sigma, "mu": ["ggH", "qqH"]}
    config = with_fit(analysis_config, parameters_of_interest=both, poi="sigma_ztt")
    about = {"prediction": 1.0, "size": 1200.0, "unit": "pb", "source": "NNLO"}
    fitted = {
        **fit("nn_score", result(1080.0, 108.0), 120.0),
        "poi": "sigma_ztt",
        "interests": {"sigma_ztt": about},
        "others": {"mu": {"expected": result(1.0, 4.0), "observed": result(-3.0, 4.5)}},
    }
    summary = summarise(config, IDENTITY, found(fit=fitted), {"fit": 3.5})
    text = to_markdown(summary)
    assert text.splitlines()[2] == (
        "What was measured: **sigma_ztt = 1080 ± 108 pb**, expected ± 120 pb; over the predicted "
        "1200 pb it is 0.900 ± 0.090."
    )
    assert "How well: This run can measure sigma_ztt to 10.0 %." in text
    assert "| 1080 ± 108 pb |      [972, 1188] |" in text
    assert "-3.00 ± 4.50 |" in text
    assert "sigma_ztt = 1200 pb (NNLO), mu = 1; its limit" in text
    plain = " ".join(text.split())
    assert f"| signal strength | {TRUTH['mu']:g} | – |" in plain  # of μ, which is not shown first


def test_each_parameter_opens_with_what_was_put_in_found_and_can_be_seen(
    analysis_config: Config,
) -> None:
    """1 put in, 3.5 found with 2: 1.25 σ above. 3 σ are 7.5 with an expected 2.5."""
    about = {"prediction": 1.0, "size": 1200.0, "unit": "pb", "source": "", "label": "Z→ττ"}
    strength = {**about, "size": 1.0, "unit": "", "label": "Higgs"}
    fitted = {
        **fit("nn_score", result(3.5, 2.0)),
        "interests": {"mu": strength, "sigma_ztt": about},
        "others": {"sigma_ztt": {"expected": result(1200, 60), "observed": result(1140.0, 60.0)}},
    }
    both = {"mu": ["ggH", "qqH"], "sigma_ztt": {"samples": ["ZTT"], "cross_section": CITED}}
    config = with_fit(analysis_config, parameters_of_interest=both)
    truth = {**TRUTH, "strengths": {"A": 1.0, "B": 1.0, "Z": 1.0}}
    results = replace(found(fit=fitted), truth=truth, scaled={"mu": ["A", "B"], "sigma_ztt": ["Z"]})
    summary = summarise(config, IDENTITY, results, {"fit": 3.5})
    assert summary["truth"]["injected"] == {"mu": 1.0, "sigma_ztt": 1200.0}
    first, second, reach = to_markdown(summary).split("\n\n")[1:4]
    assert first.startswith("What was measured: Higgs: **μ̂ = 3.50 ± 2.00**")
    assert first.endswith("Put in: 1; what was found is 1.2 σ above it.")
    assert second.startswith("What was measured: Z→ττ: **sigma_ztt = 1140 ± 60 pb**")
    assert second.endswith("Put in: 1200 pb; what was found is 1.0 σ below it.")
    assert reach == (
        "How well: This run can see a signal of about 7.5 with 3 σ; one of 1 has 0.40 σ. This run "
        "can measure the Z→ττ to 5.0 %."
    )


def test_an_unfolded_spectrum_has_a_table(analysis_config: Config) -> None:
    config = with_fit(analysis_config, poi="mu_Z_bin0")
    judged = {"chi2": 7.25, "degrees": 2, "p_value": 0.03}
    spectrum = {
        "values": [1.1, 0.8],
        "sigma": [0.05, 0.1],
        "covariance": [[0.0025, 0.0], [0.0, 0.01]],
        "predicted": [1.0, 1.0],
        "bottom_line": {"unfolded": judged, "counted": {**judged, "chi2": 5.0}, "passed": False},
    }
    item = {
        "quantity": "gen_pt",
        "edges": [0.0, 10.0, 30.0],
        "unit": "GeV",
        "curvature": 0.2,
        "strengths": ["mu_Z_bin0", "mu_Z_bin1"],
        "predicted_unit": "",
        "expected": spectrum,
        "observed": spectrum,
    }
    fitted = {**fit("nn_score", result(1.1, 0.05)), "poi": "mu_Z_bin0", "unfolding": {"Z": item}}
    text = to_markdown(summarise(config, IDENTITY, found(fit=fitted), {}))
    assert text.splitlines()[2] == (
        "What was measured: **Z is unfolded in 2 bins of gen_pt** (table below); χ² of the "
        "prediction 7.2 / 2."
    )
    assert "`Z`, second differences of strengths drawn to 0 ± 0.2." in text
    assert (
        "| 10 to 30 GeV |                    0.80 ± 0.10 |                    0.80 ± 0.10 |" in text
    )
    assert "7.2 / 2 with the unfolded spectrum, 5.0 / 2 with the counts (FAILED" in text


def test_a_precise_result_keeps_its_digits(analysis_config: Config) -> None:
    """An expected limit of 0.0034 was printed as 0.00."""
    summary = summarise(analysis_config, IDENTITY, found(), {})
    limit = {**summary["expected"]["limit"], "expected": 0.0034}
    expected = {**summary["expected"], "sigma": 0.0161, "limit": limit}
    observed = {
        **summary["observed"],
        "mu_hat": 1.002,
        "sigma": 0.0016,
        "interval": [1.0004, 1.0036],
    }
    text = to_markdown({**summary, "expected": expected, "observed": observed})
    assert "(expected ± 0.016 and μ < 0.0034)" in text
    assert "| 1.0020 ± 0.0016 | [1.0004, 1.0036] |" in " ".join(text.split()).replace("  ", " ")
    assert "0.00 |" not in text.split("## Signal strength")[1].split("##")[0]


def test_many_reasons_of_one_merging_are_counted(analysis_config: Config) -> None:
    long = {**MERGED, "reasons": [f"bins {i}-11: total background is 0" for i in (11, 10, 9, 8)]}
    record = {"observable": "nn_score", "warnings": [], "regions": {"signal": {"merged": [long]}}}
    warnings = summarise(analysis_config, IDENTITY, found(records=[record]), {})["warnings"]
    assert (
        "nn_score: signal: bins 10-11 merged (0.9 to 0.97): bins 11-11: total background is 0; "
        "bins 10-11: total background is 0; and 2 more reasons (workspaces/nn_score_record.json)"
    ) in warnings


def test_real_data_have_no_truth(analysis_config: Config) -> None:
    results = found(truth=None, transfer_factor=None, gates={})
    summary = summarise(analysis_config, IDENTITY, results, {})
    text = to_markdown(summary)
    assert summary["truth"] is None
    assert "Injected" not in text
    assert "## Gates and coverage\n\nNone: no network is trained" in text
    assert "## Time\n\nNot recorded." in text


def test_what_went_wrong_is_listed(analysis_config: Config) -> None:
    results = found(gates={"check_overtraining": verdict(False)})
    summary = summarise(analysis_config, IDENTITY, results, {})
    assert summary["gates"] == {"check_overtraining": {"passed": False, "action": "warn"}}
    assert summary["warnings"] == [
        "gate check_overtraining failed: 2 of 3 conditions (auc_gap)",
        "nn_score: QCD left out",
        "nn_score: signal: bins 10-11 merged (0.9 to 0.97): QCD is -0.5",
    ]


@pytest.mark.parametrize(
    ("changes", "results", "message"),
    [
        ({"observable": "m_vis"}, found(), r"fit\.observable is 'm_vis'.*of 'nn_score'"),
        ({"reference": None}, found(), "a reference fit was given"),
        ({}, found(reference=None), "a reference fit was not given"),
        ({"unblind": False}, found(), "unblind is False, but the fit of 'nn_score'"),
        ({}, found(yields={"signal": YIELDS}), r"regions\.w_control: .* only signal"),
    ],
)
def test_results_of_another_run_are_refused(
    analysis_config: Config, changes: dict[str, Any], results: RunResults, message: str
) -> None:
    with pytest.raises(TaipanError, match=message):
        summarise(with_fit(analysis_config, **changes), IDENTITY, results, {})


def test_no_reference_is_possible(analysis_config: Config) -> None:
    config = with_fit(analysis_config, reference=None)
    summary = summarise(config, IDENTITY, found(reference=None), {})
    assert summary["reference"] is None
    assert "reference" not in to_markdown(summary)


def test_yields_keep_their_order_and_values(tmp_path: Path) -> None:
    path = tmp_path / "yields.csv"
    path.write_text("region,process,yield,stat\nb,W,10.5,1.5\nb,data,7.0,2.6\na,W,-3.0,0.5\n")
    yields = read_yield_table(path)
    assert list(yields) == ["b", "a"]
    assert yields["b"]["W"] == {"yield": 10.5, "stat": 1.5}
    assert yields["a"]["W"]["yield"] == -3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns are"),
        ("region,process,yield\na,W,1\n", "columns are"),
        ("region,process,yield,stat\na,W,1,2\na,W,x,2\n", "line 3.*two numbers"),
        ("region,process,yield,stat\na,W,1\n", "line 2.*two numbers"),
        ("region,process,yield,stat\na,W,nan,1\n", "line 2.*not finite"),
        ("region,process,yield,stat\na,W,1,1\na,W,1,1\n", "line 3: W in a is listed twice"),
    ],
)
def test_damaged_yields_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "yields.csv"
    path.write_text(text)
    with pytest.raises(TaipanError, match=message):
        read_yield_table(path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match=r"cannot read .*absent\.csv"):
        read_yield_table(tmp_path / "absent.csv")


def test_seconds_add_up_over_jobs(tmp_path: Path) -> None:
    (tmp_path / "skim").mkdir()
    header = "s\th:m:s\tmax_rss\n"
    (tmp_path / "train.tsv").write_text(f"{header}20.5\t0:00:20\t100\n")
    (tmp_path / "skim" / "A_0.tsv").write_text(f"{header}1.25\t0:00:01\t-\n")
    (tmp_path / "skim" / "B_0.tsv").write_text(f"{header}2.0\t0:00:02\t-\n4.0\t0:00:04\t-\n")
    assert read_seconds(tmp_path) == {"skim": 4.25, "train": 20.5}


def test_a_benchmark_that_is_missing_or_damaged_is_left_out(tmp_path: Path) -> None:
    assert read_seconds(tmp_path / "absent") == {}
    (tmp_path / "fit.tsv").write_text("")
    (tmp_path / "skim.tsv").write_text("s\th:m:s\n")
    (tmp_path / "train.tsv").write_text("s\th:m:s\nNA\t-\n")
    (tmp_path / "plot.tsv").write_text("s\th:m:s\n1.5\t-\n")
    assert read_seconds(tmp_path) == {"plot": 1.5}


def test_a_gate_has_the_name_of_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "check_overtraining" / "verdict.json"
    path.parent.mkdir()
    path.write_text(json.dumps(verdict(True)))
    assert read_gates([path])["check_overtraining"]["passed"] is True
    path.write_text('{"passed": true}')
    with pytest.raises(TaipanError, match=r"verdict\.json: key 'action' is missing"):
        read_gates([path])


@pytest.mark.parametrize(
    ("value", "sigma", "least", "text"),
    [
        (8386.6, 65.4, 0, "8387 ± 65"),
        (26.253, 0.2315, 0, "26.25 ± 0.23"),
        (-2.9595, 2.9364, 2, "-2.96 ± 2.94"),
        (0.001, 0.00042, 0, "0.00100 ± 0.00042"),
        (5.0, 0.0, 0, "5 ± 0"),
    ],
)
def test_uncertainties_have_two_digits(value: float, sigma: float, least: int, text: str) -> None:
    assert format_measurement(value, sigma, least) == text


def test_the_hat_of_mu_takes_no_column() -> None:
    lines = format_table(["fit", "μ̂"], [["a", "1.0"]]).splitlines()
    assert lines == ["| fit |   μ̂ |", "| --- | --: |", "| a   | 1.0 |"]


def test_labels_lose_their_latex() -> None:
    assert plain_label("H→ττ→μτ$_h$, $m_{vis}$") == "H→ττ→μτ_h, m_vis"


@pytest.mark.parametrize("label", [r"t$\bar{t}$ → ℓ+jets", r"t$\bar t$ → ℓ+jets"])
def test_labels_keep_the_bar_of_an_antiparticle(label: str) -> None:
    assert plain_label(label) == "tt\u0304 → ℓ+jets"


def test_script_writes_the_same_bytes_again(tmp_path: Path, analysis_config: Config) -> None:
    results = found()
    files = {
        "fit": results.fit,
        "reference": results.reference,
        "record": results.records[0],
        "transfer": results.transfer_factor,
        "truth": results.truth,
        "gates/check_overtraining/verdict": results.gates["check_overtraining"],
    }
    for name, content in files.items():
        path = tmp_path / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    rows = [
        f"{region},{process},{value['yield']},{value['stat']}"
        for region, processes in results.yields.items()
        for process, value in processes.items()
    ]
    (tmp_path / "yields.csv").write_text("\n".join(["region,process,yield,stat", *rows]) + "\n")
    written = []
    for name in ("first", "second"):
        summarize(
            fit=str(tmp_path / "fit.json"),
            reference=str(tmp_path / "reference.json"),
            records=[str(tmp_path / "record.json")],
            gates=[str(tmp_path / "gates/check_overtraining/verdict.json")],
            yields=str(tmp_path / "yields.csv"),
            transfer_factor=str(tmp_path / "transfer.json"),
            truth=str(tmp_path / "truth.json"),
            skipped=[],
            compared=[],
            judgement=None,
            cross_checks=None,
            scores={},
            scaled={},
            benchmarks=str(tmp_path / "benchmarks"),
            config=Config.from_plain(
                slice_config(analysis_config, "analysis", "title", "regions", "fit")
            ),
            identity={
                "catalogue": "fastsim",
                "luminosity": 2.0,
                "seed": 7,
                "config_hash": "0123",
                "catalogue_hash": "89ab",
                "code": "4567",
            },
            summary=str(tmp_path / f"{name}.json"),
            text=str(tmp_path / f"{name}.md"),
            page=str(tmp_path / f"{name}.html"),
            slides=str(tmp_path / f"{name}.pdf"),
        )
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        link = f'For slides: <a href="{name}.pdf" target="_blank"'
        assert link in (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        written.append((tmp_path / f"{name}.json").read_bytes())
    assert written[0] == written[1]
    summary = json.loads(written[0])
    assert summary["observed"]["mu_hat"] == 3.0
    assert summary["result_sha256"] == hash_result(summary)
    details = select_details(results.fit, (), tmp_path, tmp_path / "first.pdf")
    text = (tmp_path / "first.md").read_text(encoding="utf-8")
    assert text == to_markdown(summary, details)
    assert "For slides: [first.pdf](first.pdf)" in text
