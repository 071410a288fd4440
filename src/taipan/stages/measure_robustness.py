"""Attack the events of every simulated sample within the uncertainties."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from taipan.atomic import read_json, write_json, write_text
from taipan.config.model import Config
from taipan.robustness.events import AttackedSample
from taipan.robustness.measure import Attacker, MovedTemplates
from taipan.robustness.nuisance import compare_shifts, measure_effect
from taipan.robustness.opening import AttackFiles, open_attack, open_pieces
from taipan.robustness.text import write_robustness

logger = logging.getLogger("taipan.measure_robustness")


def measure_robustness(
    files: AttackFiles,
    workspace: str,
    config: Config,
    seed: int,
    threads: int,
    robustness: str,
    text: str,
    parts: str = "",
    code: str = "",
) -> None:
    """Write what attacks do to the score, sample by sample, and to the result.

    Parameters
    ----------
    files
        Networks and events.
    workspace
        Workspace of the fit of the score.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical`, `training` (region,
        folds), `systematics` and `robustness`.
    seed
        Seed of the chosen events and of all attacks.
    threads
        Threads of a network.
    robustness, text
        Files to write: JSON and Markdown.
    parts
        Folder of finished samples, from which a killed job goes on; removed at the end. Empty:
        none are kept.
    code
        Version of the code; finished samples of another one are not used.

    Raises
    ------
    TaipanError
        If no event of the region can be attacked, or the region is not fitted.
    """
    attacker, samples = open_attack(files, config, seed, threads)
    pieces = open_pieces(parts, files, attacker, config, code)
    numbers, templates = {}, {}
    for sample in samples:
        numbers[sample.name], moved = pieces.make(sample.name, partial(_attack, attacker, sample))
        numbers[sample.name]["templates"] = moved
        templates[sample.name] = MovedTemplates.read(moved)
        logger.info("%s: %d events attacked", sample.name, len(sample.weights))
    estimated = [name for name in config.samples if name not in numbers]
    region = config.training.region
    content = {
        "region": region,
        "settings": config.robustness.model_dump(mode="json"),
        "samples": numbers,
        "not_attacked": estimated,
        "edges": attacker.edges.tolist(),
        "templates": compare_shifts(templates),
        "result": measure_effect(read_json(workspace), region, templates),
    }
    write_json(robustness, content)
    write_text(text, write_robustness(content))
    pieces.remove()


def _attack(attacker: Attacker, sample: AttackedSample) -> tuple[dict[str, Any], dict[str, Any]]:
    numbers, templates = attacker.attack(sample)
    return numbers, templates.describe()


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(measure_robustness)
