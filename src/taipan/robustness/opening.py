"""Opening what attacks are made of: networks, events of the region, bins of the fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.atomic import read_json
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.events.opening import open_analysis
from taipan.nn.inputs import TrainingInputs
from taipan.nn.scorer import FoldScorer
from taipan.nn.scores import classes_of
from taipan.pieces import Pieces, identify
from taipan.robustness.events import AttackedSample, collect_samples
from taipan.robustness.measure import Attacker


@dataclass(frozen=True)
class AttackFiles:
    """Files that attacks are made of.

    Attributes
    ----------
    inputs
        Events of all regions, and what was measured for them.
    models
        ONNX file of each fold.
    record
        What was written beside the workspace of the fit of the score.
    """

    inputs: TrainingInputs
    models: Sequence[str]
    record: str

    @property
    def paths(self) -> list[str]:
        """Files of the events and of the networks."""
        return [*self.models, *self.inputs.skimmed.paths]


def open_attack(
    files: AttackFiles, config: Config, seed: int, threads: int
) -> tuple[Attacker, list[AttackedSample]]:
    """Open the networks and up to `robustness.events` events of each simulated sample.

    Parameters
    ----------
    files
        Networks and events.
    config
        Sections `folder`, `samples`, `regions`, `features`, `categorical`, `training` (region,
        folds), `systematics` and `robustness`.
    seed
        Seed of the chosen events and of all attacks.
    threads
        Threads of a network.

    Raises
    ------
    TaipanError
        If no event of the region can be attacked, a sample has fewer events than bins, or the
        region is not fitted.
    """
    region = config.training.region
    fitted = read_json(files.record)["regions"]
    if region not in fitted:
        raise TaipanError(
            f"training.region: {region!r} is not fitted ({', '.join(fitted)}); the attacks are "
            "compared with the templates of the fit"
        )
    analysis = open_analysis(config)
    scorer = FoldScorer(files.models, config.features, threads)

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
        files.inputs.skimmed.stream(analysis, config.training.folds),
        analysis,
        config,
        region,
        np.random.default_rng(seed),
    )
    if not samples:
        raise TaipanError(f"training.region: no simulated event is in {region!r}")
    for sample in samples:
        if len(sample.weights) < config.robustness.bins:
            raise TaipanError(
                f"robustness.bins: {config.robustness.bins} bins, but {sample.name} has "
                f"{len(sample.weights)} events in {region}"
            )
    return attacker, samples


def open_pieces(
    parts: str, files: AttackFiles, attacker: Attacker, config: Config, code: str
) -> Pieces:
    """Open the folder of what is finished of these attacks.

    Parameters
    ----------
    parts
        The folder; empty: nothing is kept.
    files, attacker, config
        What the attacks are made of.
    code
        Version of the code; what another one has finished is not used.
    """
    settings = [attacker.seed, code, config.model_dump(mode="json"), attacker.edges.tolist()]
    return Pieces(Path(parts) if parts else None, identify(settings, files.paths))
