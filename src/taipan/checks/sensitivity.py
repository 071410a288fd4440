"""Checks of the losses of the fit: `sannt`, `inferno`, `shape_penalty`."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from taipan.config.model import Config
from taipan.config.sections.fit import fitted_regions

logger = logging.getLogger(__name__)

Problems = Iterator[str]


def check_sensitivity(config: Config) -> Problems:
    """Check what a loss of the fit needs; other losses are no concern of it.

    Parameters
    ----------
    config
        Validated configuration.

    Yields
    ------
    str
        One line a problem, with key path, bad value and allowed values.
    """
    training = config.training
    if not training.is_fine_tuned:
        return
    loss = f"training.loss: '{training.loss}'"
    kind = config.classifier.kind
    if kind != "network":
        yield f"{loss} is for networks; classifier.kind is '{kind}' (crossentropy, brier)"
    if config.classes:
        yield f"{loss} has one score; with `classes` there are several (crossentropy, brier)"
    if training.adversary.enabled:
        yield f"{loss} cannot be trained against an adversary (training.adversary.enabled: false)"
    if training.decorrelate:
        yield f"{loss} cannot be decorrelated besides (training.decorrelate: [])"
    fitted = fitted_regions(config.regions, config.fit)
    if training.region not in fitted:
        yield (
            f"training.region: '{training.region}' is not fitted, so that {loss} cannot be the "
            f"uncertainty of the fit there ({', '.join(fitted)})"
        )
    if not any(item.moves_events for item in config.systematics.values()):
        logger.warning(
            "%s: no systematic moves inputs of the networks (kind: kinematic); weights and rates "
            "alone count",
            loss,
        )
