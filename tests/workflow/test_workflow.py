"""What is made again, and what is not; the same result after a kill; bad configurations."""

from __future__ import annotations

import copy
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from taipan.atomic import read_json
from taipan.certify.command import certify
from taipan.certify.ledger import read_ledger
from taipan.inference import pseudo_experiments
from tests.project import RESULTS, SMOKE, Project, copy_project

pytestmark = pytest.mark.workflow

AFTER_FIT = {"fit", "plot_fit", "summarize"}
FIT = AFTER_FIT | {"build_workspace", "plot_systematics"}
TEMPLATES = FIT | {"histogram", "combine_templates", "list_yields", "plot_control"}
TRAINING = TEMPLATES | {
    *("train", "check_overtraining", "check_weights", "check_decorrelation"),
    *("rank_inputs", "plot_training", "plot_weights"),
}
SKIM = TRAINING | {
    *("skim", "normalise", "plot_cutflow"),
    *("measure_pileup", "measure_transfer_factor", "measure_shapes"),
}
EVERYTHING = SKIM | {"simulate", "record_truth"}
"""Each set holds a stage and all that depends on it."""


def test_run_is_complete_and_small(finished: Project) -> None:
    summary = finished.summary()
    assert set(summary["expected"]) >= {"mu_hat", "sigma", "interval", "significance", "limit"}
    assert summary["expected"]["mu_hat"] == pytest.approx(1.0, abs=1e-3)
    assert summary["reference"]["observable"] == "m_vis"
    benchmarks = list((finished.path / RESULTS / "benchmarks").rglob("*.tsv"))
    assert 20 < len(benchmarks) <= 60
    folder = finished.path / RESULTS / "benchmarks"
    assert {path.name.split(".")[0] for path in folder.iterdir()} == EVERYTHING
    for name in ("workspace.json", "yields.csv", "summary.md", "models/fold0.onnx"):
        assert (finished.path / RESULTS / name).stat().st_size > 0


def test_a_run_fixes_what_it_does_before_it_sees_data_and_is_certified(finished: Project) -> None:
    lines = {line.name: line for line in certify(finished.path / RESULTS)}
    assert [name for name, line in lines.items() if line.verdict == "failed"] == []
    assert lines["unblinding ledger"].verdict == "passed"
    provenance = finished.summary()["provenance"]
    (entry,) = read_ledger(finished.path / RESULTS)
    assert [entry[key] for key in ("config", "catalogue", "code")] == [
        provenance[key] for key in ("config", "catalogue", "code")
    ]
    assert lines["files as they were written"].figure.startswith("0 edited, ")


def test_analysis_without_features_trains_tunes_and_gates_nothing(project: Project) -> None:
    overlay = project.overlay(
        "{features: [], categorical: {dm_2: null}, observables: {nn_score: null}, "
        "fit: {observable: m_vis, reference: null}, results: results/cut, tuning: {enabled: true}}"
    )
    planned = project.planned(overlay)
    learned = {*TRAINING - TEMPLATES, "tune", "plot_tuning"}
    assert set(planned) == EVERYTHING - learned
    project.snakemake(config=(SMOKE, overlay))
    folder = project.path / "results/cut/htautau"
    summary = read_json(folder / "summary.json")
    assert summary["gates"] == {}
    assert summary["observable"] == "m_vis"
    assert summary["expected"]["mu_hat"] == pytest.approx(1.0, abs=1e-3)
    assert "no network is trained" in (folder / "summary.md").read_text(encoding="utf-8")
    assert not (folder / "models").exists()


def test_pseudo_data_are_drawn_from_events(project: Project) -> None:
    overlay = project.overlay("coverage: {experiments: 10, batches: 1}")
    target = f"{RESULTS}/coverage/nn_score/0.json"
    project.snakemake(target, config=(SMOKE, overlay))
    again = project.snakemake("--dry-run", target, config=(SMOKE, overlay)).stdout
    assert "Nothing to be done" in again  # the job changes the parameters that it is given
    drawn = read_json(project.path / target)
    nominal = read_json(project.path / RESULTS / "workspace.json")["observations"]
    for channel in nominal:
        counts = [item[channel["name"]] for item in drawn["counts"]]
        assert len(counts) == 10
        assert np.mean(np.sum(counts, axis=1)) == pytest.approx(sum(channel["data"]), rel=0.2)


def test_nothing_is_done_twice(project: Project) -> None:
    assert project.planned() == {}


def test_fit_option_re_runs_the_fit_and_later(project: Project) -> None:
    planned = project.planned(project.overlay("fit: {confidence_level: 0.9}"))
    assert set(planned) == AFTER_FIT


def test_blinding_re_runs_the_workspace_and_later(project: Project) -> None:
    planned = project.planned(project.overlay("fit: {unblind: false}"))
    assert set(planned) == FIT | {"plot_control", "list_yields"}  # both hide the data then


def test_rate_size_re_runs_the_workspace_and_later(project: Project) -> None:
    overlay = project.overlay("systematics: {luminosity: {size: 0.05}}")
    assert set(project.planned(overlay)) == FIT | {"plot_control"}  # whose band it is part of


def test_shift_size_re_runs_templates_not_the_training(project: Project) -> None:
    overlay = project.overlay("systematics: {tau_energy_scale_1prong_pi0: {size: 0.02}}")
    assert set(project.planned(overlay)) == TEMPLATES


def test_training_option_re_runs_training_not_the_skim(project: Project) -> None:
    planned = project.planned(project.overlay("training: {learning_rate: 0.002}"))
    assert set(planned) == TRAINING


def test_method_of_negative_weights_adds_its_stage_alone(project: Project) -> None:
    planned = project.planned(project.overlay("training: {negative_weights: refine}"))
    assert planned["transform_weights"] == planned["check_weights"] == planned["train"] == 1
    assert not set(planned) & {"simulate", "skim", "normalise", "measure_pileup"}
    planned = project.planned(project.overlay("training: {negative_weights: cell}"))
    assert planned["transform_weights"] == 1


def test_number_of_networks_reaches_every_stage(project: Project) -> None:
    """It once was no parameter of the weights: the training then found those of other networks."""
    assert set(project.planned(project.overlay("training: {networks: 2}"))) == TRAINING
    stored = project.overlay("training: {folds: 3, networks: 2, negative_weights: cell}")
    verdict = f"{RESULTS}/gates/check_weights/verdict.json"
    project.snakemake(verdict, config=(SMOKE, stored))
    found = read_json(project.path / RESULTS / "weights/diagnostics.json")
    pairs = [(fold, network) for fold in range(3) for network in (1, 2)]
    assert [(item["fold"], item["network"]) for item in found["networks"]] == pairs
    more = project.overlay("training: {folds: 3, networks: 1, negative_weights: cell}")
    assert {"transform_weights", "train"} <= set(project.planned(more))


def test_limit_of_the_weight_gate_re_runs_no_training(project: Project) -> None:
    planned = project.planned(project.overlay("weight_check: {max_chi2_per_ndf: 2.0}"))
    assert "check_weights" in planned
    assert not set(planned) & {"train", "check_overtraining"}


def test_alternative_sample_changes_nothing_nominal(project: Project) -> None:
    """The alternative dataset once entered the vertex weights and retrained the network."""
    overlay = project.overlay(
        "systematics: {z_model: {kind: sample, samples: [ZTT], datasets: [DYToTauTau_NLO]}}"
    )
    planned = project.planned(overlay)
    assert planned["simulate"] == planned["skim"] == 1
    assert {"histogram", "fit"} <= set(planned)
    assert not set(planned) & {"measure_pileup", "measure_transfer_factor", "train"}


def test_alternative_sample_is_read_like_the_nominal_ones(project: Project) -> None:
    """The job that compares the meaning of branches once saw the alternative datasets alone."""
    overlay = project.overlay(
        "systematics: {z_model: {kind: sample, samples: [ZTT], datasets: [DYToTauTau_NLO]}}"
    )
    target = f"{RESULTS}/normalisation_alternatives.json"
    text = project.snakemake("--dry-run", target, config=(SMOKE, overlay)).stdout
    inputs = text.partition("rule normalise_alternatives:")[2].partition("output:")[0]
    for name in ("DYToTauTau_NLO", "DYJetsToLL", "Run2012B_TauPlusX"):
        assert f"{RESULTS}/cutflow/{name}/0.json" in inputs
    project.snakemake(target, config=(SMOKE, overlay))
    found = read_json(project.path / target)
    assert list(found) == ["DYToTauTau_NLO"]
    assert found["DYToTauTau_NLO"]["events_read"] == found["DYToTauTau_NLO"]["generated_events"]


def test_control_residual_re_runs_no_histogram(project: Project) -> None:
    overlay = project.overlay(
        "systematics: {left: {kind: control_residual, region: w_control, samples: [W, ZTT]}}"
    )
    planned = set(project.planned(overlay))
    assert {"combine_templates", "build_workspace", "fit"} <= planned
    assert not planned & {"histogram", "train", "check_decorrelation"}


def test_judge_of_the_score_re_runs_nothing_else(project: Project) -> None:
    planned = project.planned(project.overlay("decorrelation: {efficiencies: [0.4]}"))
    assert planned.pop("check_decorrelation") == 1
    assert set(planned) <= {"summarize"}
    unused = project.overlay("decorrelation: {enabled: false}")
    assert set(project.planned(unused)) <= {"summarize"}


def test_envelope_re_runs_the_skim(project: Project) -> None:
    planned = project.planned(project.overlay("skim: {envelope: {tau_pt: 0.08, muon_pt: 0.02}}"))
    assert set(planned) == SKIM


def enlarge(workspace: dict[str, Any], factor: float) -> dict[str, Any]:
    """The workspace with so many times the events, of the simulation, too."""
    larger = copy.deepcopy(workspace)
    for observation in larger["observations"]:
        observation["data"] = [factor * x for x in observation["data"]]
    for sample in (item for channel in larger["channels"] for item in channel["samples"]):
        sample["data"] = [factor * x for x in sample["data"]]
        for modifier in sample["modifiers"]:
            data = modifier["data"]
            if modifier["type"] == "staterror":
                modifier["data"] = [np.sqrt(factor) * x for x in data]
            elif modifier["type"] == "histosys":
                modifier["data"] = {side: [factor * x for x in data[side]] for side in data}
    return larger


@pytest.mark.parametrize(("mu", "stream"), [(0.0, 0), (0.5, 5), (1.0, 1), (2.0, 2)])
@pytest.mark.parametrize(("luminosity", "experiments"), [(0.3, 200), (12.0, 1000)])
def test_signal_strength_of_pseudo_experiments_is_unbiased(
    finished: Project, mu: float, stream: int, luminosity: float, experiments: int
) -> None:
    """The mean of 1,000 is within 2 standard errors: of as many at 12 fb⁻¹, of 200 at 0.3 fb⁻¹.

    With the few events of 0.3 fb⁻¹ the estimate is skew: its mean is off by 0.06 to 0.11 σ, its
    median by up to 0.05 σ (4,000 or 5,000 pseudo-experiments). With more events that goes away:
    0.02 ± 0.008 σ on average at 1.2 and at 12 fb⁻¹.
    """
    workspace = enlarge(read_json(finished.path / RESULTS / "workspace.json"), luminosity / 0.3)
    found = pseudo_experiments(workspace, mu, 1000, np.random.default_rng([1, stream]))["mu_hat"]
    assert np.isfinite(found).all()
    assert abs(found.mean() - mu) < 2.0 * found.std(ddof=1) / np.sqrt(experiments)


def test_local_nanoaod_files_in_chunks(project: Project) -> None:
    """Local files, read in entry ranges, give the cutflow and normalisation of whole ones."""
    whole = read_json(project.path / RESULTS / "normalisation.json")
    catalogue = yaml.safe_load(
        (project.path / "config/analyses/htautau/datasets/fastsim.yaml").read_text(encoding="utf-8")
    )
    catalogue |= {"name": "local", "kind": "nanoaod"}
    share = {"Run2012B_TauPlusX": 0.1, "Run2012C_TauPlusX": 0.2}  # 0.3 fb⁻¹ in smoke.yaml
    for name, dataset in catalogue["datasets"].items():
        if name in whole:
            dataset["generated_events"] = whole[name]["generated_events"]
        if name in share:
            dataset["luminosity"] = {"value": share[name], "unit": "fb-1", "source": "smoke.yaml"}
    (project.path / "config/analyses/htautau/datasets/local.yaml").write_text(
        yaml.safe_dump(catalogue), encoding="utf-8"
    )
    overlay = project.overlay(
        "catalogue: local\nfiles: results/smoke/htautau/simulation\nresults: results/local\n"
        "skim: {chunk_events: 2500, step_events: 1000}\n"
    )
    target = "results/local/htautau/normalisation.json"
    # Snakemake merges the keys of both overlays, so `fastsim` is still there and not used
    project.snakemake(target, config=(SMOKE, overlay))
    chunks = list((project.path / "results/local/htautau/events/DYJetsToLL").glob("*.parquet"))
    assert len(chunks) == 3  # 6000 events
    found = read_json(project.path / target)
    for name, expected in whole.items():
        assert found[name]["generated_events"] == expected["generated_events"]
        assert found[name]["scale"] == pytest.approx(expected["scale"], rel=1e-12)
    flows = [
        read_json(project.path / f"results/{run}/htautau/cutflow/cutflow.json")
        for run in ("smoke", "local")
    ]
    assert flows[0] == flows[1]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_comment_re_runs_nothing(project: Project) -> None:
    source = project.path / "src/taipan"
    edit(source / "kinematics.py", "def delta_phi(", "# a remark\ndef delta_phi(")
    edit(source / "nn/train.py", '"""', '"""Some better words. ')
    assert project.planned() == {}


@pytest.mark.parametrize(
    ("module", "users"),
    [
        ("plotting/cutflow", {"plot_cutflow", "summarize"}),
        ("inference/fit", AFTER_FIT),
        ("likelihood/workspace", FIT),
        ("templates/edges", TEMPLATES),
        ("nn/loop", TRAINING),
        ("skim/run", SKIM),
        ("fastsim/decays", EVERYTHING),
        ("adversary_scan/choose", set()),
    ],
)
def test_code_re_runs_exactly_its_users(project: Project, module: str, users: set[str]) -> None:
    """The rules whose scripts use it, and what depends on their files; nothing else."""
    edit(project.path / f"src/taipan/{module}.py", "\n\n\n", "\n\n\nUNUSED = 1\n\n\n")
    assert set(project.planned()) == users


def test_yields_sum_over_processes(finished: Project) -> None:
    """The QCD estimate follows from the table alone: a check of the whole bookkeeping."""
    with open(finished.path / RESULTS / "yields.csv", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    yields = {(row["region"], row["process"]): float(row["yield"]) for row in rows}
    simulated = ("ggH", "qqH", "W", "TT", "ZLL", "ZTT")
    rest = {
        region: yields[region, "data"] - sum(yields[region, name] for name in simulated)
        for region in ("ss_signal", "antiiso_os", "antiiso_ss")
    }
    factor = rest["antiiso_os"] / rest["antiiso_ss"]
    assert yields["signal", "QCD"] == pytest.approx(factor * rest["ss_signal"], rel=1e-9)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which nothing has been run."""
    return copy_project(tmp_path_factory.mktemp("fresh") / "taipan")


class TestBadConfiguration:
    """Snakemake stops before any job, with a message that names the key."""

    @pytest.mark.parametrize(
        ("overlay", "parts"),
        [
            ("trainig: {folds: 3}", ["trainig", "training"]),
            ("training: {foldz: 3}", ["training.foldz", "folds"]),
            ("training: {folds: 1}", ["training.folds", "1", "2"]),
            ("samples: {W: {datasets: [W9JetsToLNu]}}", ["W9JetsToLNu", "W1JetsToLNu"]),
            (
                "systematics: {luminosity: {samples: [ggH, ZTTT]}}",
                ["systematics.luminosity.samples[1]", "ZTTT", "ZTT"],
            ),
            ("features: [pt_1, pt_9]", ["features[1]", "pt_9"]),
            ("regions: {signal: {cut: 'mt_1 < '}}", ["regions.signal.cut"]),
            ("regions: {signal: {cut: '__import__(\"os\")'}}", ["regions.signal.cut"]),
            ("regions: {w_control: {cut: 'mt_1 > 20'}}", ["w_control", "signal", "disjoint"]),
            ("fit: {poi: [mu, nu]}", ["fit.poi"]),
            ("seed: 1\nseed: 2", ["seed", "duplicate"]),
        ],
    )
    def test_message(self, fresh: Project, overlay: str, parts: list[str]) -> None:
        done = fresh.snakemake(config=(SMOKE, fresh.overlay(overlay)), check=False)
        assert done.returncode != 0
        text = done.stdout + done.stderr
        for part in parts:
            assert part in text
        assert "Traceback" not in text
        assert not (fresh.path / "results").exists()

    def test_results_in_a_place_that_cannot_be_written(self, fresh: Project) -> None:
        done = fresh.snakemake(config=(SMOKE, fresh.overlay("results: /proc/taipan")), check=False)
        assert done.returncode != 0
        assert "/proc/taipan" in done.stdout + done.stderr


class TestBadEvents:
    """Faults that only the events can show, on the finished smoke run."""

    KEPT = ("yields.csv", "summary.json", "summary.md", "workspace.json", "fit/nn_score.json")

    def stops(self, project: Project, overlay: str, script: str, sentence: str) -> None:
        """The script says the sentence, and the results of the run before are left alone."""
        files = [project.path / RESULTS / name for name in self.KEPT]
        before = [path.read_bytes() for path in files]
        done = project.snakemake(config=(SMOKE, project.overlay(overlay)), check=False)
        assert done.returncode != 0
        assert f"{script}: error: {sentence}\n" in done.stderr, done.stderr[-3000:]
        assert "Traceback" not in done.stderr
        assert [path.read_bytes() for path in files] == before

    def test_all_events_cut_away(self, project: Project) -> None:
        """Of the W control region nothing but its same-sign estimate is left."""
        cut = "q_1 * q_2 < 0 and mt_1 > 70 and iso_1 < -1"
        self.stops(
            project,
            yaml.safe_dump({"regions": {"w_control": {"cut": cut}}}),
            "measure_transfer_factor",
            f"regions.w_control.cut: '{cut}': no event of any process passes it",
        )

    def test_process_without_weight(self, project: Project) -> None:
        self.stops(
            project,
            "samples: {TT: {select: 'gen_match == 7'}}",
            "measure_transfer_factor",
            "samples.TT.select: 'gen_match == 7': no event is in a region that is fitted (signal, "
            "w_control); change it, or take the sample out",
        )
