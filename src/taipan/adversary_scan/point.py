"""One point of the scan: train with one λ and one seed, judge, and expect an uncertainty.

Imports TensorFlow (within :func:`measure_point`, after what reads files).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hist
import numpy as np

from taipan import metrics
from taipan.analysis import Analysis
from taipan.atomic import read_json
from taipan.config.model import Config
from taipan.decorrelation import CheckSettings, judge_decorrelation
from taipan.estimates.registry import MeasuredEstimate, read_estimate
from taipan.events.inputs import SkimmedEvents
from taipan.events.load import DatasetEvents
from taipan.events.opening import open_analysis
from taipan.events.variations import Variation, template_variations
from taipan.likelihood import build_workspace
from taipan.likelihood.asimov import expected_sigma
from taipan.nn.inputs import collect_training_events
from taipan.nn.scorer import FoldScorer
from taipan.search.setup import TrainingFiles, set_up_training
from taipan.seeds import derive_seed
from taipan.systematics.members import generator_branches
from taipan.systematics.registry import make_systematic
from taipan.templates.build import add_parts, plan_filling, take_from_data
from taipan.templates.fill import fill_blocks
from taipan.templates.members import add_members

logger = logging.getLogger(__name__)

RESIDUAL = "control_residual"
"""Name of the systematic that the scan adds if the configuration has none of its kind."""


@dataclass(frozen=True)
class Files:
    """Files that a point is made of.

    Attributes
    ----------
    training
        Events, weights of the loss and what the search found.
    shapes
        JSON file of the rule ``measure_shapes``.
    """

    training: TrainingFiles
    shapes: str


def measure_point(
    files: Files,
    settings: Config,
    strength: float,
    seed: int,
    models: Sequence[Path],
    record: Path,
    threads: int = 1,
) -> dict[str, Any]:
    """Train the networks against an adversary of one strength, and measure what they are worth.

    Parameters
    ----------
    files
        Events and corrections.
    settings
        Sections of the training, the templates, the fit and `decorrelation`.
    strength
        λ; 0 is the plain training.
    seed
        Seed of the training.
    models, record
        ONNX file of each fold and the record of the training to write.
    threads
        Threads.

    Returns
    -------
    dict
        ``strength``, ``seed``, ``auc`` (of the signal against the background, each event by the
        network that never saw it), ``sigma_mu`` (``total``, and ``without_residual``),
        ``residual`` (of the control region), ``compared`` and ``judge`` (the regions, and what
        `judge_decorrelation` finds there).

    Raises
    ------
    TaipanError
        If the training diverges, or no model can be built from the templates.
    """
    settings = _at_strength(settings, strength)
    analysis = open_analysis(settings)
    datasets = files.training.inputs.skimmed.open(analysis, settings.training.folds)
    transfer = read_json(files.training.inputs.transfer_factor)
    estimate = read_estimate(settings.samples, transfer)
    area = train_point(
        datasets, analysis, settings, estimate, seed, models, record, files.training, threads
    )
    scorer = FoldScorer(models, settings.features, threads)
    skimmed = files.training.inputs.skimmed
    sigmas, residual = _expect(
        datasets, analysis, settings, files.shapes, scorer, transfer, skimmed
    )
    judged = judge_decorrelation(
        datasets,
        analysis,
        CheckSettings.of(settings, derive_seed(seed, "judge")),
        estimate,
        {"network": scorer},
    )
    found = {
        "strength": strength,
        "seed": seed,
        "auc": area,
        "sigma_mu": sigmas,
        "residual": residual,
        "compared": judged["regions"],
        "judge": judged["networks"]["network"],
    }
    logger.info("λ = %g: AUC %.4f, expected σ(μ) %.4f", strength, found["auc"], sigmas["total"])
    return found


def train_point(
    datasets: Sequence[DatasetEvents],
    analysis: Analysis,
    settings: Config,
    estimate: MeasuredEstimate | None,
    seed: int,
    models: Sequence[Path],
    record: Path,
    files: TrainingFiles | None = None,
    threads: int = 1,
) -> float:
    """Train and export the networks; give the AUC, each event by the network that never saw it.

    Parameters
    ----------
    datasets, analysis, settings, estimate
        As of :func:`~taipan.nn.inputs.collect_training_events`.
    seed, models, record, threads
        As of :func:`measure_point`.
    files
        Gives the weights of the loss and the hyperparameters found, if there are any.
    """
    training_set, opponents = collect_training_events(datasets, analysis, settings, estimate)
    setup = set_up_training(files, training_set, settings)
    from taipan.nn.train import train_network

    train_network(
        training_set,
        setup.training,
        seed,
        models,
        record,
        threads=threads,
        transformed=setup.transformed,
        conditions=settings.overtraining.conditions,
        used=setup.used,
        opponents=opponents,
    )
    scores = FoldScorer(models, settings.features, threads).score(
        training_set.features, training_set.folds
    )
    weights = training_set.training_weights()
    return metrics.auc(training_set.labels, np.asarray(scores, dtype=np.float64), weights)


def _at_strength(settings: Config, strength: float) -> Config:
    """Give the configuration of a point; a residual is added where there is none."""
    adversary = settings.training.adversary.model_copy(
        update={"enabled": strength > 0.0, "strength": strength}
    )
    training = settings.training.model_copy(update={"adversary": adversary})
    systematics = {
        name: item for name, item in settings.systematics.items() if not item.alternatives
    }
    left_out = sorted(set(settings.systematics) - set(systematics))
    if left_out:
        logger.warning(
            "systematics with alternative datasets are left out: %s", ", ".join(left_out)
        )
    if all(item.fills_events for item in systematics.values()):
        simulated = [
            name
            for name, item in settings.samples.items()
            if item.is_simulated and item.role == "background"
        ]
        region = adversary.control_sample.region
        systematics[RESIDUAL] = make_systematic(kind=RESIDUAL, region=region, samples=simulated)
    return settings.model_copy(update={"training": training, "systematics": systematics})


def _expect(
    datasets: Sequence[DatasetEvents],
    analysis: Analysis,
    settings: Config,
    shapes: str,
    scorer: FoldScorer,
    transfer: Mapping[str, Any] | None,
    skimmed: SkimmedEvents,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Give the expected σ(μ) with and without the residual, and the residual itself."""
    name = settings.fit.observable
    variations = template_variations(settings.systematics, settings.samples)
    templates, records = fill_templates(
        datasets, analysis, settings, shapes, scorer, variations, transfer, skimmed
    )
    kinds = {
        "total": settings.systematics,
        "without_residual": {
            key: item for key, item in settings.systematics.items() if item.fills_events
        },
    }
    sigmas = {}
    for key, systematics in kinds.items():
        config = settings.model_copy(update={"systematics": systematics})
        workspace, _ = build_workspace(templates, config, name, transfer)
        sigmas[key] = expected_sigma(workspace)
    return sigmas, {key: item[name] for key, item in records.items()}


def fill_templates(
    datasets: Sequence[DatasetEvents],
    analysis: Analysis,
    settings: Config,
    shapes: str,
    scorer: FoldScorer,
    variations: Sequence[Variation],
    transfer: Mapping[str, Any] | None,
    skimmed: SkimmedEvents | None = None,
) -> tuple[hist.Hist, dict[str, Any]]:
    """Fill the templates of the fitted observable.

    Parameters
    ----------
    datasets, analysis, settings
        Events of all datasets; quantities; sections of the templates.
    shapes
        JSON file of the rule ``measure_shapes``.
    scorer
        The networks.
    variations
        Of the systematics.
    transfer
        Record of what was measured for the estimate of a sample, None if all are simulated.
    skimmed
        Files of the datasets, which systematics of generator weights need.

    Returns
    -------
    templates, residuals
        Histogram with axes (process, region, variation, observable), and the records of the
        control residuals.
    """
    total = fill_total(datasets, analysis, settings, shapes, scorer, variations, skimmed)
    return estimate_from_data(total, settings, variations, transfer)


def fill_total(
    datasets: Sequence[DatasetEvents],
    analysis: Analysis,
    settings: Config,
    shapes: str,
    scorer: FoldScorer,
    variations: Sequence[Variation],
    skimmed: SkimmedEvents | None = None,
) -> hist.Hist:
    """Fill what is simulated and observed; parameters as of :func:`fill_templates`."""
    name = settings.fit.observable
    observables = {name: settings.observables[name]}
    fill = plan_filling(settings, analysis, shapes, observables)
    parts = []
    for item in datasets:
        blocks: Iterable[DatasetEvents] = [item]
        lists = generator_branches(settings, item.name)
        if lists and skimmed is not None:
            blocks = skimmed.stream_lists(item.name, analysis, settings.training.folds, lists)
        parts.append(fill_blocks(blocks, analysis, fill, scorer)[0])
    total = add_parts(parts, settings, observables, variations)
    if skimmed is not None:
        total = add_members(total, parts, settings, variations, skimmed.normalisations())
    return total[name]


def estimate_from_data(
    total: hist.Hist,
    settings: Config,
    variations: Sequence[Variation],
    transfer: Mapping[str, Any] | None,
) -> tuple[hist.Hist, dict[str, Any]]:
    """Add what is taken from data: control residuals and the estimate of a sample.

    Parameters
    ----------
    total
        Of :func:`fill_total`; not changed.
    settings, variations, transfer
        As of :func:`fill_templates`, which see also for what is returned.
    """
    name = settings.fit.observable
    estimate = read_estimate(settings.samples, transfer)
    filled, records = take_from_data({name: total}, settings, variations, estimate)
    return filled[name], records
