"""Oracles of keras-tuner that survive being killed at any moment.

keras-tuner's own files are written in place and at moments that do not fit together: a kill can
leave half a file, run a finished trial again, or forget a running one. Here each file replaces the
old one as a whole, and what is read back is put in order. Imports keras-tuner.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import keras_tuner

from taipan.atomic import write_text
from taipan.config.sections.training import Training
from taipan.config.sections.tuning import Tuning
from taipan.search.job import FIRST
from taipan.search.space import build_space
from taipan.search.tuner_internals import (
    forget_waiting,
    oracle_file,
    run_again,
    seed_proposals,
    trial_file,
)

logger = logging.getLogger(__name__)

TUNER_OBJECTIVE = "score"
FINISHED = ("COMPLETED", "FAILED")
_NEVER = 10**9  # rejected trials in a row that would end the search


class Durable:
    """Mixin of an oracle: atomic files, a first trial that is given, repair after a kill."""

    first_values: Mapping[str, Any] = {}
    wait_for_first = False

    def populate_space(self, trial_id: str) -> Any:
        """Give the values of a new trial: those of the configuration first.

        The others wait for the first to end if they are compared with it: what they give must not
        depend on which worker is faster.
        """
        if int(trial_id) == FIRST and self.first_values:
            return {"status": "RUNNING", "values": dict(self.first_values)}
        if self.first_values and self.wait_for_first and not self.end_order:  # type: ignore[attr-defined]
            return {"status": "IDLE"}
        return super().populate_space(trial_id)  # type: ignore[misc]

    def save(self) -> None:
        """Write the state of the search."""
        write_text(oracle_file(self), json.dumps(self.get_state()))  # type: ignore[attr-defined]

    def _save_trial(self, trial: Any) -> None:
        write_text(trial_file(self, trial.trial_id), json.dumps(trial.get_state()))

    def reload(self) -> None:
        """Read the state of a search that was killed, if there is any."""
        if not oracle_file(self).exists():
            return
        super().reload()  # type: ignore[misc]
        self._repair()

    def _repair(self) -> None:
        this: Any = self
        # written before the state that knows of it: it is made again with the same values
        this.trials = {key: this.trials[key] for key in this.start_order}
        waiting = []
        for key, trial in this.trials.items():
            if trial.status not in FINISHED:
                trial.metrics = type(trial.metrics)()  # empty
                waiting.append(key)
            elif key not in this.end_order:
                this.end_order.append(key)
        forget_waiting(self)
        run_again(self, waiting[::-1])
        this.tuner_ids = set()
        done = len(this.trials) - len(waiting)
        logger.info("search goes on: %d trials done, %d begun", done, len(waiting))

    @keras_tuner.synchronized  # type: ignore[untyped-decorator]
    def give_up(self, tuner_id: str) -> str | None:
        """Take the trial of a worker that died back, to be run again; give its name."""
        this: Any = self
        this.tuner_ids.discard(tuner_id)
        trial = this.ongoing_trials.pop(tuner_id, None)
        if trial is None:
            return None
        trial.metrics = type(trial.metrics)()  # empty
        run_again(self, [trial.trial_id])
        self.save()
        return str(trial.trial_id)


class RandomOracle(Durable, keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
    """Random search."""


class BayesianOracle(Durable, keras_tuner.oracles.BayesianOptimizationOracle):  # type: ignore[misc]
    """Gaussian process with an upper confidence bound."""

    def populate_space(self, trial_id: str) -> Any:
        """Give the values of a new trial; the random numbers depend on its name alone."""
        seed_proposals(self, (self.seed + int(trial_id)) % 2**32)
        return super().populate_space(trial_id)


class HyperbandOracle(Durable, keras_tuner.oracles.HyperbandOracle):  # type: ignore[misc]
    """Successive halving of random trials (arXiv:1603.06560)."""


def make_oracle(tuning: Tuning, training: Training, seed: int, first: Mapping[str, Any]) -> Any:
    """Make the oracle of a search.

    Parameters
    ----------
    tuning, training
        Sections of the configuration.
    seed
        Seed of the search.
    first
        Values of the first trial, none if empty; not for Hyperband, whose trials come in groups.
    """
    common = {
        "objective": keras_tuner.Objective(TUNER_OBJECTIVE, "min"),
        "hyperparameters": build_space(tuning.space),
        "allow_new_entries": False,
        "tune_new_entries": False,
        "seed": seed + 1,  # 0 would mean a random one
        "max_consecutive_failed_trials": _NEVER,
    }
    if tuning.algorithm == "hyperband":
        oracle: Any = HyperbandOracle(max_epochs=training.epochs, **common)
        oracle.max_trials = tuning.trials
    else:
        if tuning.algorithm == "bayesian":
            common["num_initial_points"] = max(3, tuning.trials // 4)  # then the Gaussian process
        kinds = {"random": RandomOracle, "bayesian": BayesianOracle}
        oracle = kinds[tuning.algorithm](max_trials=tuning.trials, **common)
        oracle.first_values = dict(first)
        oracle.wait_for_first = tuning.first_check > 0
    oracle.verbose = 0
    return oracle
