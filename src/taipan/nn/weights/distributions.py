"""Distributions of signed weights for plots: where the negative events are, what was changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.metrics import negative_fraction
from taipan.nn.data import FloatArray, TrainingSet

_QUANTILES = 10
_WEIGHT_BINS = 40


def quantile_bins(
    values: NDArray[np.floating[Any]], count: int = _QUANTILES
) -> tuple[NDArray[np.int64], FloatArray]:
    """Sort events into bins with about as many events each; missing values have one of their own.

    Parameters
    ----------
    values
        Shape (n,), NaN for missing.
    count
        Number of bins; equal values stay together, so there may be fewer.

    Returns
    -------
    bins
        Shape (n,), index of the bin; the index after the last bin is that of missing values.
    edges
        Edges of the bins; one value alone gives one bin.
    """
    present = np.isfinite(values)
    if not present.any():
        return np.zeros(len(values), dtype=np.int64), np.array([])
    edges = np.unique(np.quantile(values[present], np.linspace(0.0, 1.0, count + 1)))
    bins = np.searchsorted(edges[1:-1], values, side="right").astype(np.int64)
    bins[~present] = max(len(edges) - 1, 1)
    return bins, edges.astype(np.float64)


def describe_distributions(
    training_set: TrainingSet,
    physical: FloatArray,
    masks: list[NDArray[np.bool_]],
    scores: NDArray[np.floating[Any]],
) -> dict[str, Any]:
    """Histogram the samples that have negative weights.

    The weights after a transformation are the mean over the networks that are trained on an event.

    Parameters
    ----------
    training_set
        The n events.
    physical
        Shape (m, n), weights of the loss of each network.
    masks
        For each network the events it is trained on, shape (n,).
    scores
        Shape (n,), score by the network that never saw the event.

    Returns
    -------
    dict
        Sample → ``weights`` (edges, counts before and after) and ``quantities``: feature or
        ``score`` → edges and, for each bin, events, negative_fraction, and sumw before and after
        with the sumw2 before and that of the change.
    """
    count = np.sum(masks, axis=0)
    mean = np.sum([np.where(m, w, 0.0) for m, w in zip(masks, physical, strict=True)], axis=0)
    after = np.where(count > 0, mean / np.maximum(count, 1), training_set.weights)
    found = {}
    for sample in np.unique(training_set.samples):
        rows = np.flatnonzero(training_set.samples == sample)
        old, new = training_set.weights[rows], after[rows]
        if not np.any(old < 0.0):
            continue
        columns = {
            **{
                name: training_set.features[rows, column]
                for column, name in enumerate(training_set.names)
            },
            "score": scores[rows],
        }
        found[str(sample)] = {
            "weights": _histogram_weights(old, new),
            "negative_fraction": negative_fraction(old),
            "quantities": {name: _profile(values, old, new) for name, values in columns.items()},
        }
    return found


def _histogram_weights(old: FloatArray, new: FloatArray) -> dict[str, Any]:
    edges = np.histogram_bin_edges(np.concatenate([old, new]), _WEIGHT_BINS)
    return {
        "edges": edges.tolist(),
        "before": np.histogram(old, edges)[0].tolist(),
        "after": np.histogram(new, edges)[0].tolist(),
    }


def _profile(values: NDArray[np.floating[Any]], old: FloatArray, new: FloatArray) -> dict[str, Any]:
    bins, edges = quantile_bins(values)
    inside = np.isfinite(values)
    length = max(len(edges) - 1, 1)

    def sums(terms: FloatArray | NDArray[np.bool_]) -> FloatArray:
        return np.bincount(bins[inside], terms[inside], minlength=length).astype(np.float64)

    events = sums(np.ones(len(old)))
    return {
        "edges": edges.tolist(),
        "missing": int(np.sum(~inside)),
        "events": events.astype(int).tolist(),
        "negative_fraction": (sums(old < 0.0) / np.maximum(events, 1.0)).tolist(),
        "sumw_before": sums(old).tolist(),
        "sumw2_before": sums(old**2).tolist(),
        "sumw_after": sums(new).tolist(),
        "sumw2_change": sums((old - new) ** 2).tolist(),
    }
