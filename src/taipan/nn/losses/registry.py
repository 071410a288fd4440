"""The losses by name: every file of this folder that defines ``loss``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from taipan.errors import TaipanError
from taipan.rooms import import_room
from taipan.suggestions import unknown

Loss = Callable[[Any, Any, Any], Any]
"""Logits, labels and signed weights of a batch, all of shape (b,) → a scalar tensor."""

LOSSES: dict[str, Loss] = {
    name.rpartition(".")[2]: sys.modules[name].loss
    for name in import_room("taipan.nn.losses")
    if hasattr(sys.modules[name], "loss")
}


def find_loss(name: str) -> Loss:
    """Give a loss.

    Raises
    ------
    TaipanError
        If there is none of that name; says which there are.
    """
    if name not in LOSSES:
        raise TaipanError(unknown("training.loss", name, "loss", LOSSES))
    return LOSSES[name]
