"""Train networks that find attacked events, and say what attacks are worth against them."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import partial
from typing import Any

from taipan.atomic import write_json, write_text
from taipan.config.model import Config
from taipan.robustness.attacked import ATTACKS, join_attacked
from taipan.robustness.detector import FEWEST_FOOLED, measure_detection, train_detector
from taipan.robustness.events import AttackedSample
from taipan.robustness.measure import Attacker
from taipan.robustness.opening import AttackFiles, open_attack, open_pieces
from taipan.robustness.text import write_detection

logger = logging.getLogger("taipan.detect_attacks")


def detect_attacks(
    files: AttackFiles,
    config: Config,
    seed: int,
    threads: int,
    detector: str,
    text: str,
    parts: str = "",
    code: str = "",
) -> None:
    """Write how many clean events a detector leaves, and how many fooled ones it finds.

    Parameters
    ----------
    files
        Networks and events.
    config
        As of the rule ``measure_robustness``.
    seed
        Seed of the chosen events, of the attacks and of the detectors.
    threads
        Threads of a network.
    detector, text
        Files to write: JSON and Markdown (``docs/robustness.md``).
    parts
        Folder of finished attacks, from which a killed job goes on; removed at the end. Empty:
        none are kept.
    code
        Version of the code; finished attacks of another one are not used.

    Raises
    ------
    TaipanError
        If no event of the region can be attacked, or the region is not fitted.
    """
    attacker, samples = open_attack(files, config, seed, threads)
    pieces = open_pieces(parts, files, attacker, config, code)
    content = {
        name: pieces.make(name, partial(_detect, name, attacker, samples, config, threads))
        for name in ATTACKS
    }
    write_json(detector, content)
    write_text(text, write_detection(content))
    pieces.remove()


def _detect(
    name: str, attacker: Attacker, samples: list[AttackedSample], config: Config, threads: int
) -> dict[str, Any]:
    attacked = [ATTACKS[name](attacker, sample) for sample in samples]
    found = [item for item in attacked if item is not None]
    events = join_attacked(found) if found else None
    number = 0 if events is None else int(events.fooled_first.sum())
    logger.info("%s: %d fooled events", name, number)
    if events is None or number < FEWEST_FOOLED:
        return {"fooled_events": number, "classes": {}}
    flags = train_detector(events, config.features, config.categorical, attacker.seed, threads)
    measured = measure_detection(events, *flags)
    classes = {key: asdict(value) for key, value in measured.items()}
    return {"fooled_events": number, "classes": classes}


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(detect_attacks)
