"""Train against an adversary of one strength with one seed, and expect an uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taipan.adversary_scan.point import Files, measure_point
from taipan.atomic import write_json
from taipan.config.slices import restore_slice


def scan_point(
    files: Mapping[str, Any],
    config: Mapping[str, Any],
    strength: str,
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
        Arguments of :class:`~taipan.adversary_scan.point.Files`.
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
        Files(**files),
        restore_slice(config),
        float(strength),
        seed,
        [Path(path) for path in models],
        Path(record),
        threads,
    )
    write_json(point, found)
