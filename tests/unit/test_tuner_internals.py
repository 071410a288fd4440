"""keras-tuner's private parts, on which a search depends, are as one module takes them to be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning:sklearn")
PRIVATE = re.compile(
    r"keras_tuner\.src|\b_(retry_queue|random_state|set_project_dir|get_oracle_fname|get_trial_dir)\b"
)


def make_oracle(folder: Path) -> Any:
    import keras_tuner

    from taipan.search.tuner_internals import place_oracle

    space = keras_tuner.HyperParameters()
    space.Float("x", 0.0, 1.0)
    objective = keras_tuner.Objective("score", "min")
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective=objective, max_trials=9, num_initial_points=2, hyperparameters=space, seed=3
    )
    oracle.verbose = 0
    place_oracle(oracle, folder)
    return oracle


def end_trial(oracle: Any, trial: Any, score: float) -> None:
    oracle.update_trial(trial.trial_id, {"score": score})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


@pytest.fixture
def oracle(tmp_path: Path) -> Any:
    return make_oracle(tmp_path)


def test_files_lie_where_they_are_looked_for(oracle: Any, tmp_path: Path) -> None:
    from taipan.search.tuner_internals import oracle_file, trial_file

    trial = oracle.create_trial("worker0")
    oracle.save()
    assert oracle_file(oracle) == tmp_path / "oracle" / "oracle.json"
    assert trial_file(oracle, trial.trial_id) == tmp_path / "oracle" / "trial_0" / "trial.json"
    assert oracle_file(oracle).is_file()
    assert trial_file(oracle, trial.trial_id).is_file()


def test_trials_are_handed_out_again_the_last_one_first(oracle: Any) -> None:
    from taipan.search.tuner_internals import forget_waiting, run_again

    for worker in ("a", "b", "c"):
        oracle.create_trial(worker)
    oracle.ongoing_trials.clear()
    run_again(oracle, ["1"])
    forget_waiting(oracle)
    run_again(oracle, ["2", "0"])
    handed = [oracle.create_trial(worker).trial_id for worker in ("a", "b", "c")]
    assert handed == ["0", "2", "3"]  # the third is new


def test_the_next_point_depends_on_the_seed_alone(tmp_path: Path) -> None:
    from taipan.search.tuner_internals import seed_proposals

    found = []
    for drawn, seed in ((0, 5), (7, 5), (0, 6)):
        oracle = make_oracle(tmp_path / f"{drawn}_{seed}")
        for score in (0.3, 0.2, 0.4):
            end_trial(oracle, oracle.create_trial("worker"), score)
        seed_proposals(oracle, 1)
        for _ in range(drawn):
            oracle.populate_space("9")  # uses up random numbers
        seed_proposals(oracle, seed)
        found.append(oracle.populate_space("9")["values"]["x"])
    assert found[0] == found[1] != found[2]


def test_a_server_answers_for_an_oracle(oracle: Any) -> None:
    from taipan.search.tuner_internals import serve_oracle

    served = []

    class Server:
        def add_generic_rpc_handlers(self, handlers: Any) -> None:
            served.extend(handlers)

        def add_registered_method_handlers(self, service: str, methods: Any) -> None:
            assert {"CreateTrial", "UpdateTrial", "EndTrial", "GetTrial"} <= set(methods)

    serve_oracle(oracle, Server())
    assert [handler.service_name() for handler in served] == ["keras_tuner.Oracle"]


def test_the_base_class_writes_a_trial_by_the_method_that_is_overridden(oracle: Any) -> None:
    written = []
    oracle._save_trial = lambda trial: written.append(trial.trial_id)
    end_trial(oracle, oracle.create_trial("worker"), 0.5)
    assert set(written) == {"0"}


def test_no_other_module_uses_them() -> None:
    found = [
        path.name
        for path in sorted((ROOT / "src/taipan").rglob("*.py"))
        if PRIVATE.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["tuner_internals.py"]
