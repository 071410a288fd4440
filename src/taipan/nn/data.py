"""Events the networks are trained on: checks, weights and the split into folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.columns.identity import GOLDEN_GAMMA, finalise
from taipan.config.sections.observables import Categorical
from taipan.config.sections.training import TWO_FOLD_PARTS, Training, most_networks
from taipan.errors import TaipanError
from taipan.nn.classes import BINARY, Classes
from taipan.nn.standardisation import Standardisation, standardisation

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingSet:
    """Events of every class, sample and fold.

    Parameters
    ----------
    features
        Shape (n, f), float32, in the units of the analysis; NaN where a quantity is missing.
    names
        The f names of the features, in order.
    labels
        Shape (n,), 1 for signal and 0 for background, or the numbers of the classes.
    weights
        Shape (n,), signed physical weights (expected events).
    folds
        Shape (n,), fold of each event in [0, k).
    samples
        Shape (n,), name or code of the sample of each event.
    identifiers
        Shape (n,), uint64, a number that belongs to the event whatever the order of the files.
    may_be_missing
        f flags: whether a feature may be NaN. Empty: none may.
    categorical
        Name → categories of the features that are not continuous.
    classes
        What the labels stand for.
    """

    features: NDArray[np.float32]
    names: tuple[str, ...]
    labels: NDArray[np.integer[Any]]
    weights: FloatArray
    folds: NDArray[np.integer[Any]]
    samples: NDArray[Any]
    identifiers: NDArray[np.uint64]
    may_be_missing: tuple[bool, ...] = ()
    categorical: Mapping[str, Categorical] = field(default_factory=dict)
    classes: Classes = BINARY

    def __len__(self) -> int:
        """Give the number of events."""
        return len(self.labels)

    def canonical_order(self) -> NDArray[np.int64]:
        """Give the permutation (n,) into an order that does not depend on the present one."""
        codes = np.unique(self.samples, return_inverse=True)[1]
        return np.lexsort((self.weights, codes, self.identifiers)).astype(np.int64)

    def take(self, rows: NDArray[np.integer[Any]]) -> TrainingSet:
        """Give the events at `rows` (m,), in that order, as a new set."""
        columns = ("features", "labels", "weights", "folds", "samples", "identifiers")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    @property
    def missing_flags(self) -> tuple[bool, ...]:
        """Whether each feature may be missing, shape (f,)."""
        return tuple(self.may_be_missing) or (False,) * len(self.names)

    def validate(self, folds: int) -> None:
        """Check that networks can be trained on these events.

        Parameters
        ----------
        folds
            Number of folds k.

        Raises
        ------
        TaipanError
            If shapes disagree, a name is repeated, there are fewer events than folds, a fold or
            label is out of range, a weight is not finite, a class is empty or has Σw <= 0 in a
            fold, or a feature is infinite, missing where it may not be, constant, or of no known
            category. Names the feature, fold or class, and the value.
        """
        self._check_shapes()
        if len(self) < folds:
            raise TaipanError(f"training set: {len(self)} events for {folds} folds")
        _check_range("fold", self.folds, folds)
        _check_range("label", self.labels, len(self.classes))
        bad = np.flatnonzero(~np.isfinite(self.weights))
        if len(bad):
            raise TaipanError(
                f"training set: weight of event {bad[0]} is {self.weights[bad[0]]}, "
                f"must be finite ({len(bad)} such events)"
            )
        self._check_classes(folds)
        for column, name in enumerate(self.names):
            _check_feature(name, self.features[:, column], self.missing_flags[column])
            if name in self.categorical:
                _check_categories(name, self.features[:, column], self.categorical[name].values)

    def _check_shapes(self) -> None:
        n = len(self.labels)
        if self.features.shape != (n, len(self.names)):
            raise TaipanError(
                f"training set: features have shape {self.features.shape}, "
                f"expected ({n}, {len(self.names)})"
            )
        if self.features.dtype != np.float32:
            raise TaipanError(f"training set: features are {self.features.dtype}, not float32")
        for name in ("weights", "folds", "samples", "identifiers"):
            shape = getattr(self, name).shape
            if shape != (n,):
                raise TaipanError(f"training set: {name} has shape {shape}, expected ({n},)")
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise TaipanError(f"training set: feature {repeated[0]!r} is listed twice")
        if len(self.missing_flags) != len(self.names):
            raise TaipanError(
                f"training set: may_be_missing has {len(self.may_be_missing)} flags for "
                f"{len(self.names)} features"
            )

    def _check_classes(self, folds: int) -> None:
        for label in range(len(self.classes)):
            class_name = self.classes.path_of(label)
            for fold in range(folds):
                chosen = (self.labels == label) & (self.folds == fold)
                if not chosen.any():
                    raise TaipanError(f"training set: no {class_name} event in fold {fold}")
                total = float(self.weights[chosen].sum())
                if total <= 0.0:
                    raise TaipanError(
                        f"training set: sum of weights of {class_name} in fold {fold} is "
                        f"{total:.6g} ({int(chosen.sum())} events), must be positive"
                    )

    def totals(self, mask: NDArray[np.bool_]) -> tuple[float, float]:
        """Sum of weights of signal and background: of all events, measured in those of a mask.

        The sum in the mask (n,) is scaled with the inverse of its share of the events.
        """
        scale = len(self) / max(int(mask.sum()), 1)
        signal = self.classes.is_signal(self.labels) == 1
        total = scale * float(self.weights[mask].sum())
        expected = scale * float(self.weights[mask & signal].sum())
        return expected, total - expected

    def class_totals(self, mask: NDArray[np.bool_]) -> tuple[float, ...]:
        """Sum of weights of each class, measured as :meth:`totals`; of two without names those."""
        if not self.classes.softmax:
            return self.totals(mask)
        scale = len(self) / max(int(mask.sum()), 1)
        labels = range(len(self.classes))
        return tuple(
            scale * float(self.weights[mask & (self.labels == label)].sum()) for label in labels
        )

    def training_weights(self, physical: FloatArray | None = None) -> FloatArray:
        """Give the weights of the loss: all classes with the same total.

        One global factor per class, n / (K Σw): the signed weights of each of K classes sum to n/K.
        Never normalised per batch, where Σw may vanish or change sign.

        Parameters
        ----------
        physical
            Shape (n,), transformed weights in place of the signed ones; the factors are those of
            the signed weights.

        Returns
        -------
        numpy.ndarray
            Shape (n,), float64.

        Raises
        ------
        TaipanError
            If the sum of weights of a class is not positive.
        """
        factors = np.empty(len(self.classes))
        for label in range(len(self.classes)):
            # Sorted, so that the sum has the same rounding whatever the order of the events.
            total = float(np.sort(self.weights[self.labels == label]).sum())
            if not total > 0.0:
                raise TaipanError(
                    f"training set: sum of weights of {self.classes.path_of(label)} is "
                    f"{total:.6g}, must be positive"
                )
            factors[label] = 1.0 / len(self.classes) * len(self) / total
        chosen = self.weights if physical is None else physical
        return np.asarray(chosen * factors[self.labels], dtype=np.float64)


@dataclass(frozen=True)
class Split:
    """Which events one network sees, as boolean masks of shape (n,) that do not overlap.

    `turn` numbers the networks of a fold that are stopped by other events from 1, `repeat` those
    that differ in their seed alone.
    """

    fold: int
    training: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    turn: int = 1
    repeat: int = 1

    @property
    def name(self) -> str:
        """Name of the network in messages and files."""
        return network_name(self.fold, self.turn, self.repeat)


def network_name(fold: int, turn: int, repeat: int = 1) -> str:
    """Name a network in messages: its fold and, from the second on, its number and its seed's."""
    of_turn = "" if turn == 1 else f", network {turn}"
    of_repeat = "" if repeat == 1 else f", seed {repeat}"
    return f"fold {fold}{of_turn}{of_repeat}"


def split_folds(
    folds: NDArray[np.integer[Any]],
    identifiers: NDArray[np.uint64],
    fold: int,
    n_folds: int,
    turn: int = 1,
) -> Split:
    """Divide the events for a network that is applied to `fold`.

    Network j of fold i never sees fold i, stops early on fold (i+j) mod k and is trained on the
    rest. With two folds there is no rest: a quarter of the other fold, picked by a hash of the
    identifier and another one for each of four networks, is held out for early stopping.

    Parameters
    ----------
    folds, identifiers
        Shape (n,): fold and identifier of each event.
    fold, n_folds
        Fold i and number of folds k.
    turn
        Number j of the network among those of the fold, 1 <= j < k (with two folds up to 4).

    Returns
    -------
    Split
        Masks of the training, validation and held-out events.

    Raises
    ------
    TaipanError
        If no events are left that could stop that network.
    """
    if not 1 <= turn <= most_networks(n_folds):
        raise TaipanError(
            f"network {turn} of a fold, {n_folds} folds: allowed are 1 to {most_networks(n_folds)}"
        )
    held_out = folds == fold
    if n_folds > 2:
        validation = folds == (fold + turn) % n_folds
    else:
        part = np.floor(uniform_hash(identifiers) * TWO_FOLD_PARTS)
        validation = ~held_out & (part == turn - 1)
    return Split(fold, ~held_out & ~validation, validation, held_out, turn)


def split_networks(
    folds: NDArray[np.integer[Any]], identifiers: NDArray[np.uint64], settings: Training
) -> list[Split]:
    """Divide the events for every network: all of the first fold, then those of the next.

    Those of a fold are ordered by what stops them, then by their seed.

    Parameters
    ----------
    folds, identifiers
        Shape (n,): fold and identifier of each event.
    settings
        Section `training` of the configuration.
    """
    return [
        replace(split_folds(folds, identifiers, fold, settings.folds, turn), repeat=repeat)
        for fold in range(settings.folds)
        for turn in range(1, settings.networks + 1)
        for repeat in range(1, settings.seeds + 1)
    ]


def check_split(training_set: TrainingSet, weights: FloatArray, split: Split) -> Standardisation:
    """Check that a network can be trained on a split, before any is.

    Parameters
    ----------
    training_set, split
        All events, and those of the network.
    weights
        Signed training weights, shape (n,).

    Returns
    -------
    Standardisation
        Constants of the training events.

    Raises
    ------
    TaipanError
        If a class has no positive Σw in the training or the validation events, or a feature is
        constant in the training events; names fold, part and class or feature.
    """
    for part, mask in (("training", split.training), ("validation", split.validation)):
        for label in range(len(training_set.classes)):
            total = float(training_set.weights[mask & (training_set.labels == label)].sum())
            if total <= 0.0:
                raise TaipanError(
                    f"training of {split.name}: sum of weights of "
                    f"{training_set.classes.path_of(label)} in the {part} events is "
                    f"{total:.6g}, must be positive"
                )
    rows = np.flatnonzero(split.training)
    features = training_set.features[rows]
    return standardisation(features, weights[rows], training_set.names, split.name)


def uniform_hash(identifiers: NDArray[np.uint64]) -> FloatArray:
    """Map identifiers (n,), uint64, to [0, 1) by SplitMix64.

    Consecutive identifiers, and identifiers that share the low bits folds were made from, give
    unrelated numbers.
    """
    mixed = finalise(np.asarray(identifiers, dtype=np.uint64) + GOLDEN_GAMMA)
    return np.asarray(mixed >> np.uint64(11), dtype=np.float64) * 2.0**-53


def _check_range(what: str, values: NDArray[np.integer[Any]], stop: int) -> None:
    bad = np.flatnonzero((values < 0) | (values >= stop))
    if len(bad):
        raise TaipanError(
            f"training set: {what} of event {bad[0]} is {values[bad[0]]}, "
            f"allowed are 0 to {stop - 1} ({len(bad)} such events)"
        )


def _check_feature(name: str, column: NDArray[np.float32], may_be_missing: bool) -> None:
    missing = np.isnan(column)
    bad = np.flatnonzero(np.isinf(column))
    if len(bad):
        raise TaipanError(
            f"training set: feature {name!r} of event {bad[0]} is {column[bad[0]]}, "
            f"must be finite or NaN ({len(bad)} such events)"
        )
    if missing.any() and not may_be_missing:
        raise TaipanError(
            f"training set: feature {name!r} of event {np.flatnonzero(missing)[0]} is NaN, but "
            f"may not be missing ({int(missing.sum())} such events)"
        )
    present = column[~missing]
    if not len(present):
        raise TaipanError(f"training set: feature {name!r} is missing in every event")
    if present.min() == present.max():
        raise TaipanError(f"training set: feature {name!r} is constant ({present[0]:.6g})")


def _check_categories(name: str, column: NDArray[np.float32], values: list[float]) -> None:
    found = np.unique(column[~np.isnan(column)])
    other = found[~np.isin(found, np.asarray(values, dtype=np.float32))]
    if len(other):
        raise TaipanError(
            f"training set: feature {name!r} has the value {other[0]:g}, which is not in "
            f"categorical.{name}.values ({', '.join(f'{value:g}' for value in values)})"
        )
