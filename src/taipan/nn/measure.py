"""The numbers of an epoch, from the scores that it leaves."""

from __future__ import annotations

import numpy as np

from taipan.metrics.registry import EPOCH_METRICS
from taipan.nn.conditions import ScoredPart, compare_metric
from taipan.nn.plan import OBJECTIVE, Plan


def measure_epoch(train: ScoredPart, validation: ScoredPart, plan: Plan) -> dict[str, float]:
    """Measure both parts after an epoch, and tell whether a condition fires.

    Parameters
    ----------
    train, validation
        Scores of the events.
    plan
        Conditions, and the metric that picks the epoch.

    Returns
    -------
    dict
        `train_METRIC` and `validation_METRIC`, `overtrained` (0 or 1), and what fits of the
        histories need.
    """
    wanted = {plan.key, *(item.metric for item in plan.conditions)} - {OBJECTIVE}
    compared = {name: compare_metric(name, train, validation) for name in sorted(wanted)}
    values: dict[str, float] = {}
    for name, found in compared.items():
        values |= {f"train_{name}": found.train, f"validation_{name}": found.unseen}
    for name, metric in EPOCH_METRICS.items():
        if name in wanted:
            continue
        for part_name, part in (("train", train), ("validation", validation)):
            values[f"{part_name}_{name}"] = metric.value(part.labels, part.scores, part.weights)
    overtrained = False
    for item in plan.conditions:
        found = compared[item.metric]
        overtrained |= found.exceeds(item)
        if plan.settings.selection == "best_fit" and np.isfinite(found.error):
            values[f"error_{item.metric}"] = found.error
            values[f"offset_{item.metric}"] = found.offset
    values["overtrained"] = float(overtrained)
    return values
