"""What a search needs of keras-tuner beyond its public interface: here and nowhere else.

keras-tuner promises nothing about it. ``tests/unit/test_tuner_internals.py`` fails where a new
version calls or does something otherwise. Besides this module, an oracle overrides `_save_trial`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def place_oracle(oracle: Any, folder: Path) -> None:
    """Let an oracle keep its files in the folder ``oracle`` of the search's folder."""
    oracle._set_project_dir(str(folder), "oracle")


def oracle_file(oracle: Any) -> Path:
    """Give the file of an oracle's state."""
    return Path(oracle._get_oracle_fname())


def trial_file(oracle: Any, trial_id: str) -> Path:
    """Give the file of the state of a trial."""
    return Path(oracle._get_trial_dir(trial_id)) / "trial.json"


def run_again(oracle: Any, trial_ids: Sequence[str]) -> None:
    """Let an oracle hand these trials out again, before all that waited: the last one first."""
    oracle._retry_queue.extend(trial_ids)


def forget_waiting(oracle: Any) -> None:
    """Let no trial wait to be handed out again."""
    oracle._retry_queue = []


def seed_proposals(oracle: Any, seed: int) -> None:
    """Seed the random numbers with which a Bayesian oracle looks for the next point."""
    oracle._random_state.seed(seed)


def serve_oracle(oracle: Any, server: Any) -> None:
    """Let a gRPC server answer the workers of keras-tuner for an oracle."""
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(oracle), server)
