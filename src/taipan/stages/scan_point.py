"""Train against an adversary of one strength with one seed, and expect an uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.adversary_scan.point import Files, measure_point
from taipan.atomic import write_json
from taipan.config.model import Config


def scan_point(
    files: Files,
    config: Config,
    strength: float,
    seed: int,
    threads: int,
    models: Sequence[str],
    record: str,
    point: str,
) -> None:
    """Write the networks, their record and the point.

    Parameters
    ----------
    files
        Events and corrections.
    config
        Sections of the training, the templates, the fit and `decorrelation`.
    strength
        λ.
    seed
        Seed of the training.
    threads
        Threads of TensorFlow and of the networks.
    models, record
        ONNX file of each fold, and the record of the training.
    point
        JSON file to write (``docs/adversary.md``).
    """
    found = measure_point(
        files,
        config,
        strength,
        seed,
        [Path(path) for path in models],
        Path(record),
        threads,
    )
    write_json(point, found)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(scan_point)
