"""The metrics that are followed over the epochs of a training, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from taipan.metrics.losses import bce, bce_with_terms, brier, brier_with_terms
from taipan.metrics.roc import auc, auc_with_terms
from taipan.metrics.weights import FloatArray


@dataclass(frozen=True)
class EpochMetric:
    """A metric of labels, scores and signed weights, all of shape (n,), or scores (n, K).

    Attributes
    ----------
    label
        Name on figures.
    value
        Gives the metric.
    with_terms
        Gives the metric, and by how much each event moves it.
    higher_is_better
        Whether it grows as a classifier gets better.
    label_of_classes
        Name on figures for classes with a score each.
    """

    label: str
    value: Callable[..., float]
    with_terms: Callable[..., tuple[float, FloatArray]]
    higher_is_better: bool = False
    label_of_classes: str = ""


EPOCH_METRICS = {
    "brier": EpochMetric(
        "Brier score", brier, brier_with_terms, label_of_classes="Brier score, sum of the classes"
    ),
    "bce": EpochMetric(
        "Binary cross-entropy", bce, bce_with_terms, label_of_classes="Cross-entropy"
    ),
    "auc": EpochMetric(
        "AUC",
        auc,
        auc_with_terms,
        higher_is_better=True,
        label_of_classes="AUC, mean of the classes",
    ),
}
