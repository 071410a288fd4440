"""The search space: keras-tuner's hyperparameters from the configuration, and back.

Imports keras-tuner, and with it TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner

from taipan.config.sections.training import Training
from taipan.config.sections.tuning import SearchSpace

CHOICES = ("layers", "units", "activation", "batch_size", "schedule")
RANGES = ("dropout", "l2", "learning_rate")
_LOGARITHMIC = frozenset({"l2", "learning_rate"})
FEATURES = "feature_set"


def build_space(space: SearchSpace) -> Any:
    """Build the hyperparameters of keras-tuner.

    Parameters
    ----------
    space
        Section `tuning.space`, checked by :func:`taipan.checks.configuration.check_config`.
    """
    found = keras_tuner.HyperParameters()
    for name in CHOICES:
        values = list(getattr(space, name))
        found.Choice(name, values) if len(values) > 1 else found.Fixed(name, values[0])
    for name in RANGES:
        low, high = getattr(space, name)
        if low == high:
            found.Fixed(name, low)
        else:
            sampling = "log" if name in _LOGARITHMIC else "linear"
            found.Float(name, low, high, sampling=sampling)
    if space.feature_sets:
        found.Choice(FEATURES, list(space.feature_sets))
    return found


def to_training(values: Mapping[str, Any], base: Training) -> Training:
    """Put the values of a trial in the place of those of the configuration.

    Numbers are taken to four digits: keras-tuner's messages between processes hold single
    precision, and a trial must not depend on whether it was sent.
    """
    changes = {name: values[name] for name in ("activation", "batch_size", "schedule")}
    changes |= {name: float(f"{float(values[name]):.4g}") for name in RANGES}
    changes["hidden_layers"] = [int(values["units"])] * int(values["layers"])
    return Training.model_validate({**base.model_dump(), **changes})


def from_training(base: Training, space: SearchSpace, features: Sequence[str]) -> dict[str, Any]:
    """Give the values of a trial that is the configuration itself, empty if outside the space."""
    units = set(base.hidden_layers)
    values: dict[str, Any] = {
        "layers": len(base.hidden_layers),
        "units": base.hidden_layers[0],
        "activation": base.activation,
        "batch_size": base.batch_size,
        "schedule": base.schedule,
        **{name: getattr(base, name) for name in RANGES},
    }
    inside = len(units) == 1
    inside &= all(values[name] in getattr(space, name) for name in CHOICES)
    for name in RANGES:
        low, high = getattr(space, name)
        inside &= low <= values[name] <= high
    if space.feature_sets:
        named = [name for name, listed in space.feature_sets.items() if set(listed) == {*features}]
        inside &= bool(named)
        values[FEATURES] = named[0] if named else ""
    return values if inside else {}
