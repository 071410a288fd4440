"""What a network is to whoever only uses its scores, and what the scores are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis
from taipan.columns.expressions import encode_text
from taipan.errors import TaipanError
from taipan.labels import LARGEST_CLASS, SCORE, is_score, name_score
from taipan.nn.classes import BINARY, Classes

Array = NDArray[Any]

Scorer = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
"""(features (n, f) float32, folds (n,)) → score (n,), or those of K classes (n, K).

One of K classes has an attribute `classes`, as :class:`~taipan.nn.scorer.FoldScorer` does.
"""


def classes_of(scorer: Scorer | None) -> Classes:
    """Give the classes of a scorer; of a plain function signal and background."""
    found: Classes = getattr(scorer, "classes", BINARY)
    return found


def raw_names(classes: Classes) -> list[str]:
    """Names of the columns that a scorer gives."""
    return [name_score(name) for name in classes.names] if classes.softmax else [SCORE]


def name_scores(raw: NDArray[Any], classes: Classes) -> dict[str, NDArray[Any]]:
    """Name the scores of events.

    Parameters
    ----------
    raw
        Shape (n, columns): what a scorer gives, NaN for events without a score.
    classes
        Of the scorer.

    Returns
    -------
    dict
        `nn_score`, the score of the signal; for classes with names also `nn_score_CLASS` and
        `nn_class`, the number that stands for the class of the largest score (the first of equal
        ones); each of shape (n,).
    """
    if not classes.softmax:
        return {SCORE: raw[:, 0]}
    columns = {name: raw[:, i] for i, name in enumerate(raw_names(classes))}
    codes = np.array([encode_text(name) for name in classes.names])
    missing = np.isnan(raw).any(axis=1)
    largest = codes[np.argmax(np.where(missing[:, None], 0.0, raw), axis=1)]
    return {
        SCORE: classes.signal_score(raw),
        **columns,
        LARGEST_CLASS: np.where(missing, np.nan, largest),
    }


@dataclass(frozen=True)
class ScoreColumns:
    """Adds the scores of networks, and what is made of them, to quantities.

    Attributes
    ----------
    scorer
        The network of the result; None if nothing asks for its scores.
    analysis
        Gives the expressions that are made of scores.
    features
        Inputs of the networks, in order.
    others
        Observable → another network, whose score of the signal it is.
    """

    scorer: Scorer | None
    analysis: Analysis
    features: Sequence[str]
    others: Mapping[str, Scorer] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        scorer: Scorer | None,
        analysis: Analysis,
        features: Sequence[str],
        observables: Sequence[str],
    ) -> ScoreColumns:
        """Take a scorer for the one of the result, or of an observable that is another's score."""
        own = [SCORE, *raw_names(classes_of(scorer))]
        others = [name for name in observables if is_score(name) and name not in own]
        if scorer is None or not others:
            return cls(scorer, analysis, features)
        return cls(None, analysis, features, dict.fromkeys(others, scorer))

    @classmethod
    def choose(
        cls,
        scorers: Mapping[str, Scorer],
        analysis: Analysis,
        features: Sequence[str],
        wanted: Iterable[str],
        *,
        cut_on: bool,
    ) -> ScoreColumns:
        """Choose the networks that some quantities need.

        Parameters
        ----------
        scorers
            Observable that is a network's score → scorer; `nn_score` is that of the result.
        analysis, features
            As of the class.
        wanted
            Quantities, of which those that need no score do not count.
        cut_on
            Whether a cut needs a score of the result.

        Raises
        ------
        TaipanError
            If a score has no network.
        """
        own = [name for name in wanted if analysis.is_late(name)]
        others = {name: scorers[name] for name in own if name in scorers and name != SCORE}
        main = scorers.get(SCORE)
        given = {SCORE, *raw_names(classes_of(main)), *analysis.late}
        needed = [name for name in own if name not in others] or [SCORE] * cut_on
        missing = [name for name in needed if main is None or name not in given]
        if missing:
            raise TaipanError(f"{missing[0]} is an observable, but its network was not given")
        return cls(main if needed else None, analysis, features, others)

    @property
    def asks(self) -> bool:
        """Whether there is a network to be asked."""
        return self.scorer is not None or bool(self.others)

    def add(
        self,
        quantities: Mapping[str, Array],
        used: Array,
        folds: Array,
        before: Mapping[str, Array] | None = None,
    ) -> dict[str, Array]:
        """Score the events of some positions; the others have NaN.

        Parameters
        ----------
        quantities
            Quantity → array, shape (n,).
        used
            Positions of the events that are scored.
        folds
            Shape (n,), fold of each event.
        before
            Quantities of the same events before a shift, with scores; none if empty.
        """
        found, earlier = dict(quantities), before or {}
        for observable, scorer in self.others.items():
            raw = self._score(scorer, [observable], quantities, used, folds, earlier)
            found[observable] = raw[:, 0]
        if self.scorer is None:
            return found
        classes = classes_of(self.scorer)
        raw = self._score(self.scorer, raw_names(classes), quantities, used, folds, earlier)
        return self.analysis.add_late({**found, **name_scores(raw, classes)})

    def _score(
        self,
        scorer: Scorer,
        names: Sequence[str],
        quantities: Mapping[str, Array],
        used: Array,
        folds: Array,
        before: Mapping[str, Array],
    ) -> Array:
        """Give the columns `names` of a scorer, shape (n, columns), NaN where it is not asked.

        An event whose features are those of `before`, bit by bit, has the score of `before`: a
        shift changes the objects of many events and the features of fewer.
        """
        raw = np.full((len(folds), len(names)), np.nan, dtype=np.float32)
        inputs = [quantities[name][used].astype(np.float32) for name in self.features]
        if names[0] in before:
            raw[used] = np.stack([before[name][used] for name in names], axis=1)
            new = np.isnan(raw[used, 0])
            for name, values in zip(self.features, inputs, strict=True):
                if quantities[name] is not before[name]:
                    old = before[name][used].astype(np.float32)
                    new |= values.view(np.uint32) != old.view(np.uint32)
            used, inputs = used[new], [values[new] for values in inputs]
        if len(used):
            scores = scorer(np.stack(inputs, axis=1), folds[used])
            if len(names) == 1:
                scores = classes_of(scorer).signal_score(scores)
            raw[used] = scores.reshape(len(used), len(names))
        return raw
