"""What is watched while a network trains on signed weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.training import Training
from taipan.errors import TaipanError

LARGEST_LOGIT = 50.0
"""No sensible network is so sure: e^50 to one."""


def smallest_batch_sumw(
    weights: NDArray[np.floating[Any]], order: NDArray[np.integer[Any]], batch_size: int
) -> float:
    """Give the smallest Σw of a batch of one epoch.

    Parameters
    ----------
    weights
        Shape (n,), weights of the loss.
    order
        Order of the m events trained on, shape (m,); batches are cut from it as the engine does.
    batch_size
        Largest number of events of a batch.
    """
    steps = -(-len(order) // batch_size)
    starts = np.arange(steps) * len(order) // steps
    return float(np.add.reduceat(np.asarray(weights, dtype=np.float64)[order], starts).min())


def guard_unbounded(settings: Training) -> bool:
    """Whether the logit is not bounded, so that signed weights can drive the loss anywhere."""
    return settings.logit_bound is None or settings.logit_bound > LARGEST_LOGIT


def check_epoch(loss: float, logits: NDArray[np.floating[Any]], name: str, epoch: int) -> None:
    """Stop a training without bound that runs after its negative weights.

    A cross-entropy with physical weights is positive; below zero the network has isolated negative
    events and gains without limit.

    Parameters
    ----------
    loss
        Training loss of the epoch.
    logits
        Shape (n,), logits of the training events.
    name, epoch
        Name of the training, such as ``fold 0``, and epoch, for the message.

    Raises
    ------
    TaipanError
        If the loss is negative or a |logit| exceeds 50; names training, epoch and value.
    """
    advice = "set training.logit_bound (default 6) or another training.negative_weights"
    if loss < 0.0:
        raise TaipanError(
            f"training of {name}: the signed loss is {loss:.4g} in epoch {epoch}, below 0; {advice}"
        )
    largest = float(np.max(np.abs(logits)))
    if largest > LARGEST_LOGIT:
        raise TaipanError(
            f"training of {name}: |logit| is {largest:.4g} in epoch {epoch}, above "
            f"{LARGEST_LOGIT:g}; {advice}"
        )
