"""The record of `check_decorrelation`: every measure, for every network and control region."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.columns.derived import late_names
from taipan.config.model import Config
from taipan.config.sections.decorrelation import DecorrelationCheck
from taipan.config.sections.observables import filled_quantities, quantity_expressions
from taipan.decorrelation.adversary import fresh_adversary
from taipan.decorrelation.correlation import measure_dependence
from taipan.decorrelation.events import EventSettings, JudgedEvents, collect_events
from taipan.decorrelation.regions import (
    ControlScores,
    compare_scores,
    fill_distribution,
    tail_ratio,
)
from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.load import DatasetEvents
from taipan.labels import SCORE, is_score
from taipan.metrics import describe_weights
from taipan.nn.classes import BINARY
from taipan.nn.scores import Scorer
from taipan.seeds import derive_seed

logger = logging.getLogger(__name__)
Array = NDArray[Any]
_EVEN_EDGES = tuple(i / 20 for i in range(21))


@dataclass(frozen=True)
class CheckSettings:
    """What is judged, and how.

    Attributes
    ----------
    events
        Which events.
    judge
        Section `decorrelation` of the configuration.
    edges
        Bins of the score.
    seed
        Seed of the folds and of the permutations.
    """

    events: EventSettings
    judge: DecorrelationCheck
    edges: Sequence[float]
    seed: int

    @classmethod
    def of(cls, config: Config, seed: int) -> CheckSettings:
        """Take them from the configuration; `decorrelation.regions` must be spelled out."""
        judge = config.decorrelation
        late = late_names(quantity_expressions(config.quantities))
        counted = dict.fromkeys(filled_quantities(config.observables).values())
        others = [name for name in counted if not is_score(name) and name not in late]
        judge = judge.model_copy(update={"variables": judge.variables or others})
        score = config.observables.get(SCORE)
        return cls(
            EventSettings(
                config.samples,
                config.regions,
                config.features,
                judge.regions,
                config.training.region,
                list(dict.fromkeys([*judge.variables, *judge.condition_on])),
            ),
            judge,
            _EVEN_EDGES if score is None else score.binning,
            seed,
        )


def judge_decorrelation(
    datasets: Iterable[DatasetEvents],
    analysis: Analysis,
    settings: CheckSettings,
    estimate: MeasuredEstimate | None,
    networks: Mapping[str, Scorer],
) -> dict[str, Any]:
    """Judge how the scores of networks differ between data and simulation.

    Parameters
    ----------
    datasets
        Data and simulation.
    analysis
        Gives quantities.
    settings
        What is judged.
    estimate
        Estimate of a sample from data, None if all are simulated.
    networks
        Name → scorer; all are judged on the same events with the same folds.

    Returns
    -------
    dict
        Plain values, see ``docs/outputs.md``.

    Raises
    ------
    TaipanError
        If a class has no positive sum of weights in the training region.
    """
    control, classes = collect_events(datasets, analysis, settings.events, estimate, networks)
    result: dict[str, Any] = {
        "regions": {name: _describe(name, events, estimate) for name, events in control.items()},
        "networks": {},
    }
    for label in networks:
        points = _working_points(classes, label, settings.judge.efficiencies)
        result["networks"][label] = {
            "working_points": points,
            "regions": {
                name: _judge_region(name, events, label, points, settings)
                for name, events in control.items()
            },
            "dependence": _judge_dependence(classes, label, settings),
        }
        _log(label, result["networks"][label]["regions"])
    return result


def _describe(name: str, events: JudgedEvents, estimate: MeasuredEstimate | None) -> dict[str, Any]:
    """Say what is compared in a region."""
    simulated = float(events.weights[~events.flags].sum())
    subtracted = estimate is not None and estimate.source(name) is not None
    return {
        "subtracted": subtracted,
        "observed": events.observed,
        "simulated_share": simulated / events.observed if events.observed > 0 else None,
        "data": describe_weights(events.weights[events.flags]),
        "simulation": describe_weights(events.weights[~events.flags]),
    }


def _working_points(
    classes: JudgedEvents, label: str, efficiencies: Sequence[float]
) -> list[dict[str, float]]:
    """Give the thresholds at which so much of the simulated signal is above."""
    scores, weights = classes.scores[label][classes.flags], classes.weights[classes.flags]
    if not weights.sum() > 0.0:
        raise TaipanError(
            f"Σw = {weights.sum():.4g} of the simulated signal in the training region, must be "
            "positive"
        )
    order = np.argsort(-scores, kind="stable")
    # a running maximum: with signed weights the share may fall
    above = np.maximum.accumulate(np.cumsum(weights[order])) / weights.sum()
    found = []
    for efficiency in efficiencies:
        place = min(int(np.searchsorted(above, efficiency)), len(order) - 1)
        found.append({"efficiency": efficiency, "threshold": float(scores[order][place])})
    return found


def _judge_region(
    name: str,
    events: JudgedEvents,
    label: str,
    points: Sequence[Mapping[str, float]],
    settings: CheckSettings,
) -> dict[str, Any]:
    """Compare data and simulation in one region; what cannot be is null, with the reason."""
    sample = ControlScores(events.scores[label], events.flags, events.weights)
    result: dict[str, Any] = {
        "adversary": None,
        "tails": None,
        "ks": None,
        "chi2": None,
        "score": fill_distribution(sample, settings.edges).to_dict(),
        "problems": [],
    }
    judge = settings.judge
    conditions = None
    if judge.condition_on:
        conditions = np.stack([events.variables[item] for item in judge.condition_on], axis=1)

    def run_adversary() -> dict[str, Any]:
        rng = np.random.default_rng(derive_seed(settings.seed, "adversary", name))
        found = fresh_adversary(
            sample.scores, sample.is_data, sample.weights, judge.folds, rng, conditions
        )
        return asdict(found)

    def run_tests() -> tuple[dict[str, Any], dict[str, Any]]:
        ks, chi2 = compare_scores(sample, settings.edges)
        return asdict(ks), asdict(chi2)

    def run_tails() -> list[dict[str, Any]]:
        return [
            {"efficiency": point["efficiency"], **asdict(tail_ratio(sample, point["threshold"]))}
            for point in points
        ]

    for keys, measure in (
        (("tails",), run_tails),
        (("ks", "chi2"), run_tests),
        (("adversary",), run_adversary),
    ):
        try:
            found: Any = measure()
        except TaipanError as error:
            result["problems"].append(f"{', '.join(keys)}: {error}")
            logger.warning("%s, %s: %s", label, name, result["problems"][-1])
            continue
        result.update(zip(keys, found if len(keys) > 1 else (found,), strict=True))
    return result


def _judge_dependence(
    classes: JudgedEvents, label: str, settings: CheckSettings
) -> dict[str, dict[str, Any]]:
    """Measure how the score depends on each variable in each simulated class."""
    found: dict[str, dict[str, Any]] = {}
    for index, kind in enumerate(BINARY.names):
        found[kind] = {}
        for variable in settings.judge.variables:
            values = classes.variables[variable]
            chosen = (classes.flags == bool(index)) & np.isfinite(values)
            rng = np.random.default_rng(derive_seed(settings.seed, kind, variable))
            found[kind][variable] = asdict(
                measure_dependence(
                    classes.scores[label][chosen],
                    values[chosen],
                    classes.weights[chosen],
                    settings.judge.permutations,
                    rng,
                )
            )
    return found


def _log(label: str, regions: Mapping[str, Mapping[str, Any]]) -> None:
    for name, item in regions.items():
        adversary, tails = item["adversary"], item["tails"]
        logger.info(
            "%s, %s: adversary %s, tail ratios %s, KS p %s",
            label,
            name,
            f"{adversary['auc']:.3f} ± {adversary['sigma']:.3f}" if adversary else "-",
            ", ".join("-" if t["ratio"] is None else f"{t['ratio']:.2f}" for t in tails or ()),
            f"{item['ks']['probability']:.3g}" if item["ks"] else "-",
        )
