"""The certificate of a result: green for a whole run, red for what makes it worth less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taipan.atomic import read_json, write_json
from taipan.certify.command import certify, run_certify
from taipan.certify.files import check_run_files
from taipan.certify.ledger import LEDGER, note_run, read_ledger
from taipan.certify.lines import Line, is_red
from taipan.checksums import record_files
from taipan.cli.main import main
from taipan.errors import TaipanError
from taipan.summary.collect import hash_result

FIXED = {"config": "c0", "catalogue": "d0", "code": "e0", "gates": {"min": 1}}
OVERTRAINING = {
    "conditions": [{"metric": "auc", "max_ratio": 1.02, "min_sigma": 3.0}],
    "min_ks_probability": 1e-3,
    "min_chi2_probability": 1e-3,
    "max_auc_gap": 0.03,
}
WEIGHTS = {"max_chi2_per_ndf": 1.5, "min_probability": 1e-3, "max_sumw_change": 1e-6}


def workspace() -> dict[str, Any]:
    """A counting experiment in two bins: 10 signal events on 100, 20 on 50."""
    strength = {"name": "mu", "type": "normfactor", "data": None}
    rate = {"name": "rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    samples = [
        {"name": "s", "data": [10.0, 20.0], "modifiers": [strength]},
        {"name": "b", "data": [100.0, 50.0], "modifiers": [rate]},
    ]
    parameters = [{"name": "mu", "bounds": [[-10.0, 10.0]], "inits": [1.0]}]
    return {
        "channels": [{"name": "signal", "samples": samples}],
        "observations": [{"name": "signal", "data": [112.0, 69.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


def write(path: Path, content: Any, **inputs: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    record_files([path], {"rule": path.stem, "inputs": inputs})


def write_verdict(results: Path, gate: str, limits: dict[str, Any], passed: bool = True) -> None:
    condition = {"name": "auc_gap", "value": 0.01, "limit": 0.03, "passed": passed}
    content = {"passed": passed, "action": "warn", "limits": limits, "conditions": [condition]}
    write(results / "gates" / gate / "verdict.json", content)


def summary(mu_hat: float = 1.2, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "analysis": "toy",
        "catalogue": "fake",
        "luminosity": 1.0,
        "observable": "score",
        "poi": "mu",
        "expected": {"mu_hat": 1.0, "sigma": 0.5},
        "observed": {"mu_hat": mu_hat, "sigma": 0.5, "goodness": {"p_value": 0.4}},
        "gates": {name: {"passed": True} for name in ("check_overtraining", "check_weights")},
        "warnings": [],
        "truth": {"injected": {"mu": 1.0}},
        "provenance": {key: FIXED[key] for key in ("config", "catalogue", "code")},
        **changes,
    }
    return content | {"result_sha256": hash_result(content)}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A finished run whose ledger was kept."""
    folder = tmp_path / "results" / "toy"
    folder.mkdir(parents=True)
    note_run(folder, **FIXED)
    write_verdict(folder, "check_overtraining", OVERTRAINING)
    write_verdict(folder, "check_weights", WEIGHTS)
    write(folder / "models" / "training.json", {})
    write(folder / "workspaces" / "score.json", workspace())
    digest = read_json(folder / "workspaces" / ".checksums" / "score.json.json")["sha256"]
    write(
        folder / "fit" / "score.json",
        {"observed": {"mu_hat": 1.2}},
        **{"results/toy/workspaces/score.json": digest},
    )
    write(folder / "summary.json", summary())
    return folder


def failed(lines: list[Line]) -> list[str]:
    return [line.name for line in lines if line.verdict == "failed"]


def find(lines: list[Line], name: str) -> Line:
    return next(line for line in lines if line.name == name)


def test_a_whole_run_is_green_and_what_was_not_measured_is_said(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["certify", str(results)]) == 0
    found = read_json(results / "certificate.json")
    assert found["verdict"] == "green"
    verdicts = {item["name"]: item["verdict"] for item in found["lines"]}
    assert verdicts["coverage of the interval"] == "not measured"
    assert verdicts["unblinding ledger"] == verdicts["gate check_weights"] == "passed"
    assert "# Certificate: green" in (results / "certificate.md").read_text(encoding="utf-8")
    page = (results / "certificate.html").read_text(encoding="utf-8")
    assert "<title>Certificate: green</title>" in page
    assert "injected signal comes back" in page
    assert "0 of 13 lines failed, 3 were not measured" in capsys.readouterr().out
    # a certificate is no file of the run, so that a second one is as green
    assert main(["certify", str(results)]) == 0


def test_asimov_data_return_the_signal_that_was_put_in(results: Path) -> None:
    line = find(certify(results), "injected signal comes back")
    assert line.figure.startswith("slope 1.0000")
    content = workspace()
    content["measurements"][0]["config"]["parameters"][0]["bounds"] = [[0.0, 1.5]]
    write(results / "workspaces" / "score.json", content)
    assert "injected signal comes back" in failed(certify(results))


@pytest.mark.parametrize(
    ("gate", "limits", "said"),
    [
        ("check_overtraining", {"conditions": []}, "conditions is empty"),
        ("check_overtraining", {"min_ks_probability": 0.0}, "min_ks_probability is 0"),
        ("check_overtraining", {"max_auc_gap": 1.0}, "max_auc_gap is 1 (at most 0.1)"),
        ("check_weights", {"max_chi2_per_ndf": 1e9}, "max_chi2_per_ndf is 1e+09 (at most 5)"),
    ],
)
def test_a_gate_that_nothing_can_fail_is_red(
    results: Path, gate: str, limits: dict[str, Any], said: str
) -> None:
    usual = OVERTRAINING if gate == "check_overtraining" else WEIGHTS
    write_verdict(results, gate, usual | limits)
    lines = certify(results)
    assert failed(lines) == [f"gate {gate}"]
    assert said in find(lines, f"gate {gate}").reason


def test_three_gates_switched_off_are_three_red_lines(results: Path) -> None:
    write_verdict(results, "check_weights", WEIGHTS | {"min_probability": 0.0})
    write_verdict(results, "check_overtraining", OVERTRAINING | {"min_chi2_probability": 0.0})
    write(results / "models" / "second" / "training.json", {})  # its gate never ran
    assert failed(certify(results)) == [
        "gate check_overtraining",
        "gate check_overtraining/second",
        "gate check_weights",
    ]


def test_a_gate_that_is_missing_everywhere_is_red(results: Path) -> None:
    (results / "gates" / "check_weights" / "verdict.json").unlink()
    write(results / "summary.json", summary(gates={"check_overtraining": {"passed": True}}))
    lines = certify(results)
    assert failed(lines) == ["gate check_weights"]
    assert find(lines, "gate check_weights").figure == "no verdict"


def test_a_gate_that_failed_is_red_whatever_the_summary_says(results: Path) -> None:
    write_verdict(results, "check_weights", WEIGHTS, passed=False)
    line = find(certify(results), "gate check_weights")
    assert line.verdict == "failed"
    assert line.reason == "failed: auc_gap; summary.json has another verdict"


def test_an_edited_result_is_red(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = results / "fit" / "score.json"
    fit.write_text(fit.read_text(encoding="utf-8").replace("1.2", "2.2"), encoding="utf-8")
    assert main(["certify", str(results)]) == 1
    assert "red: files as they were written" in capsys.readouterr().err
    assert read_json(results / "certificate.json")["verdict"] == "red"


def test_an_edited_file_with_a_new_record_is_found_by_its_reader(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = workspace()
    content["observations"][0]["data"] = [130.0, 90.0]
    write(results / "workspaces" / "score.json", content)
    (sentence,) = check_run_files(results).edited
    assert "fit/score.json was made from another" in sentence
    monkeypatch.chdir(results)
    assert len(check_run_files(Path()).edited) == 1


def test_an_edited_summary_is_red_even_with_a_new_record(results: Path) -> None:
    content = summary()
    content["observed"]["mu_hat"] = 1.0
    write(results / "summary.json", content)
    assert failed(certify(results)) == ["the summary is whole"]


def test_a_file_without_a_record_is_red_but_not_a_log(results: Path) -> None:
    (results / "logs").mkdir()
    (results / "logs" / "fit.log").write_text("fitted", encoding="utf-8")
    assert not is_red(certify(results))
    write_json(results / "fit" / "other.json", {})
    lines = certify(results)
    assert failed(lines) == ["files without a record"]
    assert "fit/other.json" in find(lines, "files without a record").reason


def test_data_seen_before_the_ledger_are_red(results: Path) -> None:
    (results / LEDGER).unlink()
    assert failed(certify(results)) == ["unblinding ledger"]
    note_run(results, **FIXED)  # too late
    assert read_ledger(results)[0]["seen"] == ["summary.json", "fit/score.json"]
    line = find(certify(results), "unblinding ledger")
    assert (line.verdict, line.figure) == ("failed", "data first")


def test_what_changed_after_the_data_is_named(results: Path) -> None:
    note_run(results, **FIXED)
    assert len(read_ledger(results)) == 1  # nothing new
    note_run(results, **FIXED | {"config": "c1", "gates": {"min": 0}})
    provenance = {"config": "c1", "catalogue": "d0", "code": "e0"}
    write(results / "summary.json", summary(provenance=provenance))
    line = find(certify(results), "unblinding ledger")
    assert (line.verdict, line.figure) == (
        "noted",
        "changed after the data were seen: config, gates",
    )


def test_a_run_may_change_while_it_is_blinded(tmp_path: Path) -> None:
    note_run(tmp_path, **FIXED)
    write(tmp_path / "summary.json", summary(observed=None))
    note_run(tmp_path, **FIXED | {"config": "c1"})
    assert [entry["seen"] for entry in read_ledger(tmp_path)] == [[], []]
    assert find(certify(tmp_path), "unblinding ledger").verdict == "not measured"


def test_an_edited_ledger_is_red(results: Path) -> None:
    path = results / LEDGER
    path.write_text(path.read_text(encoding="utf-8").replace("c0", "c9"), encoding="utf-8")
    line = find(certify(results), "unblinding ledger")
    assert (line.verdict, line.figure) == ("failed", "damaged")
    with pytest.raises(TaipanError, match="is not what was written"):
        note_run(results, **FIXED)


def test_a_result_of_another_configuration_than_those_of_the_ledger_is_red(results: Path) -> None:
    provenance = {"config": "c7", "catalogue": "d0", "code": "e0"}
    write(results / "summary.json", summary(provenance=provenance))
    assert find(certify(results), "unblinding ledger").figure == "another run"


def test_simulated_data_whose_truth_is_not_found_are_red(results: Path) -> None:
    write(results / "summary.json", summary(mu_hat=2.6))  # 3.2 σ from 1
    assert failed(certify(results)) == ["injected mu is found"]
    write(results / "summary.json", summary(mu_hat=2.4))  # 2.8 σ
    assert failed(certify(results)) == []


def test_a_parameter_at_its_bound_is_red(results: Path) -> None:
    warnings = ["score: observed fit has rate at a bound; σ there is no interval"]
    write(results / "summary.json", summary(warnings=warnings))
    assert failed(certify(results)) == ["no parameter at a bound"]
    cut = ["score: observed interval is cut off at -20 by fit.poi_range"]
    write(results / "summary.json", summary(warnings=cut))
    assert find(certify(results), "no parameter at a bound").verdict == "noted"


def test_coverage_counts_if_it_was_measured(results: Path) -> None:
    report = {
        "n": 400,
        "intervals": [{"level": 0.6827, "fraction": 0.68}],
        "pull_mean": [0.02, 0.05],
        "passed": True,
        "has_power": True,
    }
    write(results / "coverage" / "score.json", report)
    assert failed(certify(results)) == []
    write(results / "coverage" / "score.json", report | {"pull_mean": [-0.4, 0.05]})
    assert failed(certify(results)) == ["bias of the pseudo-experiments"]
    write(results / "coverage" / "score.json", report | {"passed": False})
    assert failed(certify(results)) == ["coverage of the interval"]


def test_estimates_that_disagree_are_red(results: Path) -> None:
    other = {"difference": {"p_value": 0.3}}
    compared = {"sample": "fakes", "regions": {"signal": {"others": {"abcd": other}}}}
    write(results / "templates" / "cross_checks.json", compared)
    assert failed(certify(results)) == []
    other["difference"]["p_value"] = 1e-4
    write(results / "templates" / "cross_checks.json", compared)
    assert failed(certify(results)) == ["fakes in signal: the estimate and abcd"]


def make_trainings(folder: Path, estimates: list[float], sigmas: list[float]) -> list[Path]:
    paths = []
    for number, (mu_hat, sigma) in enumerate(zip(estimates, sigmas, strict=True)):
        paths.append(folder / str(number))
        expected = {"mu_hat": 1.0, "sigma": sigma}
        write(paths[-1] / "summary.json", summary(mu_hat=mu_hat, expected=expected))
    return paths


def test_trainings_with_other_seeds_are_compared(results: Path, tmp_path: Path) -> None:
    near = make_trainings(tmp_path / "near", [1.2, 1.21, 1.19, 1.2], [0.5, 0.501, 0.499, 0.5])
    assert failed(certify(results, near)) == []
    # estimates 1.2, 0.9, 1.5, 1.2, 1.2: standard deviation 0.2121, which is 0.42 of σ
    far = make_trainings(tmp_path / "far", [0.9, 1.5, 1.2, 1.2], [0.5] * 4)
    lines = certify(results, far)
    assert failed(lines) == ["same result with other seeds: the estimate"]
    assert find(lines, "same result with other seeds: the estimate").figure == "moves by 0.42 σ"
    # σ 0.5, 0.5, 0.5, 0.5, 0.6: mean 0.52, standard deviation 0.0447, 8.6 %
    bad = make_trainings(tmp_path / "bad", [1.2] * 4, [0.5, 0.5, 0.5, 0.6])
    line = find(certify(results, bad), "same result with other seeds: expected σ")
    assert (line.verdict, line.figure) == ("failed", "spread 8.6 % of 5 trainings")


def test_what_cannot_be_compared_is_named(results: Path, tmp_path: Path) -> None:
    few = make_trainings(tmp_path / "few", [1.2], [0.5])
    with pytest.raises(TaipanError, match="--trainings: 2 results .* at least 5 are needed"):
        certify(results, few)
    with pytest.raises(TaipanError, match="--trainings: a folder is listed twice"):
        certify(results, few * 4)
    write(tmp_path / "x" / "summary.json", summary(analysis="other"))
    with pytest.raises(TaipanError, match="analysis is 'other', that of the certified result"):
        certify(results, [tmp_path / "x"])
    with pytest.raises(TaipanError, match=r"summary\.json is missing"):
        certify(tmp_path)
    write_json(tmp_path / "summary.json", {"analysis": "toy"})
    with pytest.raises(TaipanError, match="observable is missing; of several"):
        certify(tmp_path)


def test_the_certificate_can_lie_elsewhere(results: Path, tmp_path: Path) -> None:
    run_certify(results, tmp_path / "out", [])
    content = json.loads((tmp_path / "out" / "certificate.json").read_text(encoding="utf-8"))
    assert content["result_sha256"] == summary()["result_sha256"]
    assert not (results / "certificate.json").exists()
