"""Attack the events of every simulated sample within the uncertainties."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.atomic import read_json, write_json, write_text
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.events.opening import open_analysis
from taipan.nn.inputs import TrainingInputs
from taipan.nn.scorer import FoldScorer
from taipan.nn.scores import classes_of
from taipan.pieces import Pieces, identify
from taipan.robustness.events import AttackedSample, collect_samples
from taipan.robustness.measure import Attacker, MovedTemplates
from taipan.robustness.nuisance import compare_shifts, measure_effect
from taipan.robustness.text import write_robustness

logger = logging.getLogger("taipan.measure_robustness")


def measure_robustness(
    inputs: TrainingInputs,
    models: Sequence[str],
    workspace: str,
    record: str,
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
    inputs
        Events of all regions, and what was measured for them.
    models
        ONNX file of each fold.
    workspace, record
        Workspace of the fit of the score, and what was written beside it.
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
    region = config.training.region
    fitted = read_json(record)["regions"]
    if region not in fitted:
        raise TaipanError(
            f"training.region: {region!r} is not fitted ({', '.join(fitted)}); the attacks are "
            "compared with the templates of the fit"
        )
    analysis = open_analysis(config)
    scorer = FoldScorer(models, config.features, threads)

    def score(events: NDArray[Any], folds: NDArray[Any]) -> NDArray[Any]:
        return classes_of(scorer).signal_score(scorer.score(events, folds))

    attacker = Attacker(
        score,
        config.robustness,
        list(config.categorical),
        config.regions[region].cut,
        np.asarray(fitted[region]["edges_after"], np.float64),
        seed,
    )
    samples = collect_samples(
        inputs.skimmed.stream(analysis, config.training.folds),
        analysis,
        config,
        region,
        np.random.default_rng(seed),
    )
    if not samples:
        raise TaipanError(f"training.region: no simulated event is in {region!r}")
    settings = [seed, code, config.model_dump(mode="json"), attacker.edges.tolist()]
    pieces = Pieces(
        Path(parts) if parts else None, identify(settings, [*models, *inputs.skimmed.paths])
    )
    numbers, templates = {}, {}
    for sample in samples:
        if len(sample.weights) < config.robustness.bins:
            raise TaipanError(
                f"robustness.bins: {config.robustness.bins} bins, but {sample.name} has "
                f"{len(sample.weights)} events in {region}"
            )
        numbers[sample.name], moved = pieces.make(sample.name, partial(_attack, attacker, sample))
        templates[sample.name] = MovedTemplates.read(moved)
        logger.info("%s: %d events attacked", sample.name, len(sample.weights))
    estimated = [name for name in config.samples if name not in numbers]
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
