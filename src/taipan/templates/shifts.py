"""Statistical errors of shifts: how far chance moves the difference of a varied template.

Nominal and varied template are made of the same events, so their difference has a far smaller
error than either. Only events that change count. An event with weight w in bin i that a shift takes
to bin j, with weight w', adds δ = w'·e_j - w·e_i to the difference, and δδᵀ to its covariance.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.config.model import Config
from taipan.config.sections.observables import Observable
from taipan.config.sections.samples import Sample
from taipan.estimates.registry import MeasuredEstimate
from taipan.events.variations import Variation, acts_on_estimate
from taipan.labels import DATA, NOMINAL, name_shifts
from taipan.templates.rows import Located

Array = NDArray[np.float64]

MOST_BINS = 64
"""More bins than this are for a choice of edges, and their covariances would fill the memory."""


def empty_shifts(
    name: str,
    observable: Observable,
    processes: Sequence[str],
    regions: Sequence[str],
    variations: Sequence[str],
) -> hist.Hist:
    """Histogram of covariances: process, region, variation, and the observable's bins twice."""
    binning = observable.binning
    return hist.Hist(
        hist.axis.StrCategory(list(processes), name="process"),
        hist.axis.StrCategory(list(regions), name="region"),
        hist.axis.StrCategory(list(variations), name="variation"),
        hist.axis.Variable(binning, name=name, label=observable.label),
        hist.axis.Variable(binning, name=f"{name}_again", label=observable.label),
        storage=hist.storage.Double(),
    )


def has_shifts(observable: Observable) -> bool:
    """Tell whether covariances of an observable are filled."""
    return len(observable.binning) - 1 <= MOST_BINS


def shift_covariance(
    before: tuple[NDArray[np.intp], Array, NDArray[np.bool_]],
    after: tuple[NDArray[np.intp], Array, NDArray[np.bool_]],
    n_bins: int,
) -> Array:
    """Give the covariance of the difference that events make.

    Parameters
    ----------
    before, after
        Bin, weight and whether the event is in the template; shape ``(n,)`` each.
    n_bins
        Number of bins.

    Returns
    -------
    Array
        Shape ``(n_bins, n_bins)``; zero for events that stay with their weight.
    """
    old, old_weights, was = before
    new, new_weights, is_ = after
    stays = was & is_ & (old == new)
    changed = stays & (old_weights != new_weights)
    gone, come = was & ~stays, is_ & ~stays
    diagonal = np.bincount(
        old[changed], np.square(new_weights[changed] - old_weights[changed]), minlength=n_bins
    )
    diagonal = diagonal + np.bincount(old[gone], np.square(old_weights[gone]), minlength=n_bins)
    diagonal = diagonal + np.bincount(new[come], np.square(new_weights[come]), minlength=n_bins)
    covariance = np.diag(diagonal)
    both = np.flatnonzero(gone & come)
    products = np.bincount(
        old[both] * n_bins + new[both],
        -old_weights[both] * new_weights[both],
        minlength=n_bins * n_bins,
    ).reshape(n_bins, n_bins)
    return np.asarray(covariance + products + products.T, dtype=np.float64)


class ShiftHistograms:
    """Fills the covariances of the shifts of a dataset, a block after the other.

    Parameters
    ----------
    observables
        What is filled with every variation.
    processes, regions, variations
        Categories of the templates; the nominal is none of `variations`.
    places
        Observable → the only regions in which it is filled; all for those not listed.
    """

    def __init__(
        self,
        observables: Mapping[str, Observable],
        processes: Sequence[str],
        regions: Sequence[str],
        variations: Sequence[str],
        places: Mapping[str, Collection[str]],
    ) -> None:
        self._places = places
        self._found = {
            name: empty_shifts(name, item, processes, regions, variations)
            for name, item in observables.items()
            if has_shifts(item)
        }

    def add(
        self,
        cell: tuple[str, str, str],
        nominal: tuple[Located | None, Array],
        varied: tuple[Located, Array],
        rows: NDArray[np.intp],
    ) -> None:
        """Add events.

        Parameters
        ----------
        cell
            Process, region and variation.
        nominal, varied
            Where the events are and their weights, shape ``(n,)`` each; no place: the dataset is
            no part of the nominal template.
        rows
            Those that may have changed.
        """
        process, region, _ = cell
        after, new_weights = varied
        before, old_weights = nominal

        def inside(located: Located | None) -> NDArray[np.bool_]:
            if located is None:
                return np.zeros(len(rows), dtype=bool)
            return np.asarray(located.samples[process][rows] & located.regions[region][rows])

        was, is_ = inside(before), inside(after)
        chosen = np.flatnonzero(was | is_)
        used = rows[chosen]
        for name, histogram in self._found.items():
            if region not in self._places.get(name, (region,)) or not len(used):
                continue
            bins = after.bins[name][used]
            old = bins if before is None else before.bins[name][used]
            index = tuple(axis.index(key) for axis, key in zip(histogram.axes, cell, strict=False))
            view = histogram.view(flow=True)[index]
            view += shift_covariance(
                (old, old_weights[used], was[chosen]),
                (bins, new_weights[used], is_[chosen]),
                len(view),
            )

    def histograms(self) -> dict[str, hist.Hist]:
        """Give name → histogram."""
        return {name_shifts(name): item for name, item in self._found.items()}


def add_shifts(
    parts: Sequence[Mapping[str, hist.Hist]],
    observables: Mapping[str, Observable],
    processes: Sequence[str],
    regions: Sequence[str],
    variations: Sequence[str],
) -> dict[str, hist.Hist]:
    """Add the covariances of all datasets on common axes.

    Parameters are those of :func:`taipan.templates.combine.add_datasets`.
    """
    out = {}
    for name, observable in observables.items():
        if not has_shifts(observable):
            continue
        total = empty_shifts(name, observable, processes, regions, variations)
        view = total.view(flow=True)
        for part in parts:
            source = part[name_shifts(name)]
            rows = [list(total.axes[0]).index(item) for item in source.axes[0]]
            labels = [list(total.axes[2]).index(item) for item in source.axes[2]]
            view[np.ix_(rows, range(len(regions)), labels)] += source.view(flow=True)[
                : len(rows), : len(regions), : len(labels)
            ]
        out[name_shifts(name)] = total
    return out


def add_independent(
    errors: hist.Hist,
    templates: hist.Hist,
    variations: Sequence[Variation],
    samples: Mapping[str, Sample],
) -> None:
    """Add the Σw² of the nominal template where a variation is made of other events.

    Parameters
    ----------
    errors
        Covariances of one observable; changed.
    templates
        Histogram with axes (process, region, variation, observable).
    variations, samples
        Definitions.
    """
    view, nominal = errors.view(flow=True), templates.view(flow=True)["variance"]
    place = list(templates.axes[2]).index(NOMINAL)
    size = view.shape[-1]
    for variation in variations:
        if not variation.systematic.alternatives:
            continue
        label = list(errors.axes[2]).index(variation.name)
        for sample in variation.systematic.samples:
            if sample not in samples:
                continue
            row = list(errors.axes[0]).index(sample)
            for region, column in ((r, i) for i, r in enumerate(errors.axes[1])):
                if variation.applies(sample, region):
                    cell = view[row, column, label]
                    cell[np.arange(size), np.arange(size)] += nominal[row, column, place]


def add_estimated(
    errors: hist.Hist,
    variations: Sequence[Variation],
    config: Config,
    estimate: MeasuredEstimate,
) -> None:
    """Give the errors of an estimate whose events a weight varies: data and what is subtracted.

    Parameters
    ----------
    errors
        Covariances of one observable; changed.
    variations, config, estimate
        Definitions.
    """
    view = errors.view(flow=True)
    processes, places, labels = (list(axis) for axis in errors.axes[:3])
    simulated = [name for name, item in config.samples.items() if item.is_simulated]
    rows = [processes.index(name) for name in (DATA, *simulated)]
    row = processes.index(estimate.sample)
    for variation in variations:
        if not acts_on_estimate(variation.systematic, config.samples):
            continue
        label = labels.index(variation.name)
        for column, region in enumerate(places):
            for part in estimate.parts(region):
                found = view[rows, places.index(part.place), label].sum(axis=0)
                view[row, column, label] += part.factor**2 * found
