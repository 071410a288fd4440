"""Files of pre-trained networks: written by the pre-training, read by the fine-tuning."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.atomic import replacing
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.nn.data import Split, TrainingSet
from taipan.nn.plan import LayerWeights

_ABOUT = "about"


@dataclass(frozen=True)
class Start:
    """Weights from which a network begins.

    Attributes
    ----------
    weights
        Arrays of each layer, those of the standardisation among them.
    file, sha256
        Name of the file that they are from, and its hash.
    number
        Number of the network in it, from 1.
    """

    weights: LayerWeights
    file: str
    sha256: str
    number: int

    def describe(self) -> dict[str, Any]:
        """Give the entry of the record."""
        return {"file": self.file, "sha256": self.sha256, "number": self.number}


@dataclass(frozen=True)
class PretrainedFold:
    """The pre-trained networks of a fold.

    Attributes
    ----------
    fold
        The fold that none of them has seen.
    interface
        Of :func:`describe_interface`.
    networks
        Weights of each, in the order of :func:`~taipan.nn.data.split_networks`.
    provenance
        Strings to write into the file.
    """

    fold: int
    interface: Mapping[str, Any]
    networks: Sequence[LayerWeights]
    provenance: Mapping[str, str] = field(default_factory=dict)


def describe_interface(training_set: TrainingSet, settings: Training) -> dict[str, Any]:
    """Say what two networks must have in common for one to begin as the other, as plain values.

    Parameters
    ----------
    training_set
        Gives names and kinds of the features, and the classes.
    settings
        Section `training`.
    """
    classes = training_set.classes
    return {
        "folds": settings.folds,
        "features": list(training_set.names),
        "may_be_missing": list(training_set.missing_flags),
        "categorical": {
            name: item.model_dump(mode="json")
            for name, item in sorted(training_set.categorical.items())
        },
        "classes": list(classes.names),
        "hidden_layers": list(settings.hidden_layers),
        "activation": settings.activation,
        "logit_bound": settings.logit_bound,
    }


def write_pretrained(path: Path, content: PretrainedFold) -> None:
    """Write the pre-trained networks of a fold into a NumPy file, whole or not at all."""
    about = {
        "fold": content.fold,
        "interface": dict(content.interface),
        "networks": len(content.networks),
        "provenance": dict(content.provenance),
    }
    arrays: dict[str, Any] = {_ABOUT: np.array(json.dumps(about, sort_keys=True))}
    for number, weights in enumerate(content.networks, start=1):
        for layer, values in weights.items():
            arrays |= {f"{number}/{layer}/{i}": value for i, value in enumerate(values)}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_pretrained(path: Path, fold: int, interface: Mapping[str, Any]) -> list[Start]:
    """Read the pre-trained networks of a fold.

    Parameters
    ----------
    path
        Of :func:`write_pretrained`.
    fold
        Fold that the networks must not have seen.
    interface
        Of the networks that begin with them (:func:`describe_interface`).

    Raises
    ------
    TaipanError
        If the file cannot be read, is of another fold, or its networks are others; names file, key
        and both values.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file[_ABOUT]))
            arrays = {name: file[name] for name in file.files if name != _ABOUT}
            found = {"fold": about["fold"], **about["interface"]}
            count = int(about["networks"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise TaipanError(f"{path}: cannot be read as pre-trained networks: {error}") from error
    for key, wanted in {"fold": fold, **interface}.items():
        if found.get(key) != wanted:
            raise TaipanError(
                f"{path}: {key} of the pre-trained networks is {found.get(key)!r}, of those that "
                f"begin with them {wanted!r}"
            )
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return [
        Start(_layers(arrays, number), path.name, sha256, number) for number in range(1, count + 1)
    ]


def read_starts(
    files: Sequence[Path], training_set: TrainingSet, splits: Sequence[Split], settings: Training
) -> Sequence[Start | None]:
    """Read what each network begins with.

    Network n of a fold begins with pre-trained network n of the same fold, and from the first again
    where there are fewer of those.

    Parameters
    ----------
    files
        File of each fold; none: every network begins with random weights.
    training_set, settings
        Of the networks that begin with them.
    splits
        Of :func:`~taipan.nn.data.split_networks`.

    Raises
    ------
    TaipanError
        If their number is not that of the folds, or as :func:`read_pretrained`.
    """
    if not files:
        return [None] * len(splits)
    if len(files) != settings.folds:
        raise TaipanError(
            f"training: {len(files)} files of pre-trained networks for {settings.folds} folds"
        )
    interface = describe_interface(training_set, settings)
    read = {fold: read_pretrained(path, fold, interface) for fold, path in enumerate(files)}
    numbers = [(split.turn - 1) * settings.seeds + split.repeat - 1 for split in splits]
    return [
        read[split.fold][number % len(read[split.fold])]
        for split, number in zip(splits, numbers, strict=True)
    ]


def _layers(arrays: Mapping[str, NDArray[Any]], number: int) -> LayerWeights:
    layers: dict[str, list[NDArray[Any]]] = {}
    for name, value in arrays.items():  # in the order in which they were written
        of, layer, _ = name.split("/")
        if of == str(number):
            layers.setdefault(layer, []).append(value)
    return layers
