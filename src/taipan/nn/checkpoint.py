"""Checkpoints: the complete state of a training in one file."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.atomic import replacing
from taipan.nn.history import History
from taipan.nn.plan import Loaded, Plan

logger = logging.getLogger(__name__)

Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class Saved:
    """State of the engine, histories, weights of kept epochs, random numbers, why it ended."""

    state: Arrays
    history: History
    kept: dict[int, Arrays]
    generator: Any
    reason: str | None


class Checkpoint:
    """The file of one training.

    Parameters
    ----------
    path
        File; written atomically.
    plan, train, validation
        The training. A file of another one (other events, settings, seed, code) is not used.
    """

    def __init__(self, path: Path, plan: Plan, train: Loaded, validation: Loaded) -> None:
        self._path = path
        self._every = plan.settings.checkpoint_every
        self._identity = _identify(plan, (train, validation))

    def due(self, epoch: int) -> bool:
        """Tell whether the state after an epoch is to be written."""
        return self._every > 0 and (epoch + 1) % self._every == 0

    def write(self, saved: Saved) -> None:
        """Write the state; nothing if `checkpoint_every` is 0."""
        if not self._every:
            return
        about = {
            "identity": self._identity,
            "history": saved.history,
            "kept": sorted(saved.kept),
            "generator": saved.generator,
            "reason": saved.reason,
        }
        arrays: dict[str, Any] = {
            f"state_{index}": value for index, value in enumerate(saved.state)
        }
        for epoch, weights in saved.kept.items():
            arrays |= {f"kept_{epoch}_{index}": value for index, value in enumerate(weights)}
        arrays["about"] = np.array(json.dumps(about))
        with replacing(self._path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def read(self, like: Sequence[NDArray[Any]]) -> Saved | None:
        """Read the state, None if there is none of this training.

        Parameters
        ----------
        like
            State of the engine; a file with other shapes is not used.
        """
        try:
            with self._path.open("rb") as raw, np.load(raw) as file:
                about = json.loads(str(file["about"]))
                state = [file[f"state_{index}"] for index in range(len(like))]
                kept = {epoch: _numbered(file, f"kept_{epoch}_") for epoch in about["kept"]}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            logger.warning("%s cannot be used (%s): training starts anew", self._path, error)
            return None
        shapes = [value.shape for value in state]
        if about["identity"] != self._identity or shapes != [value.shape for value in like]:
            logger.info("%s is of another training: training starts anew", self._path)
            return None
        return Saved(state, about["history"], kept, about["generator"], about["reason"])


def _numbered(file: Any, prefix: str) -> Arrays:
    count = sum(name.startswith(prefix) for name in file.files)
    return [file[f"{prefix}{index}"] for index in range(count)]


def _identify(plan: Plan, parts: Sequence[Loaded]) -> str:
    settings = [
        plan.seed,
        plan.key,
        plan.totals,
        plan.identity,
        plan.code,
        plan.settings.model_dump(mode="json", exclude={"checkpoint_every"}),
        [item.model_dump(mode="json") for item in plan.conditions],
    ]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for part in parts:
        for array in (
            part.events.inputs.numpy(),
            part.labels,
            part.weights,
            part.of_loss,
        ):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
