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

_MODULES = [sys.modules[name] for name in import_room("taipan.nn.losses")]
LOSSES: dict[str, Loss] = {
    module.__name__.rpartition(".")[2]: module.loss
    for module in _MODULES
    if hasattr(module, "loss")
}
CLASS_LOSSES: dict[str, Loss] = {
    module.__name__.rpartition(".")[2]: module.class_loss
    for module in _MODULES
    if hasattr(module, "class_loss")
}
"""The same of classes with a score each: logits have shape (b, K), labels are 0 to K - 1."""


def find_loss(name: str, *, softmax: bool = False) -> Loss:
    """Give a loss, of one logit or of those of K classes.

    Raises
    ------
    TaipanError
        If there is none of that name; says which there are.
    """
    known = CLASS_LOSSES if softmax else LOSSES
    if name not in known:
        what = "loss of several classes" if softmax else "loss"
        raise TaipanError(unknown("training.loss", name, what, known))
    return known[name]
