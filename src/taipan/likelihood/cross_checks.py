"""Several estimates of one sample, compared bin by bin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hist
import numpy as np
import numpy.typing as npt
from scipy import stats

from taipan.config.model import Config
from taipan.config.sections.fit import fitted_regions
from taipan.config.sections.region_bins import choose_histogram
from taipan.estimates.registry import MeasuredEstimate
from taipan.labels import DATA
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.table import Table, read_table

Array = npt.NDArray[np.float64]


def compare_estimates(
    histograms: Mapping[str, hist.Hist],
    config: Config,
    estimate: MeasuredEstimate,
    others: Mapping[str, MeasuredEstimate],
) -> dict[str, Any]:
    """Compare the estimate of a sample with others of it, in every region that both know.

    The uncertainties are those of the data and the simulation in the sources, and all of the
    factors. The two are taken as independent. Where they are made of the same regions (`shared`)
    they move together, and the uncertainty of their difference is too large.

    Parameters
    ----------
    histograms
        Observable → filled templates.
    config
        Sections `samples`, `regions` and `fit`.
    estimate, others
        The estimate that is used, and name → another one.

    Returns
    -------
    dict
        ``sample``, ``observable`` and ``regions``: region → ``edges``, ``used`` and, by name, each
        other one (``values`` and ``sigma`` of the bins, ``total`` with its uncertainty), whose
        ``difference`` has the total with its uncertainty, ``chi2``, ``bins`` and ``p_value``;
        ``shared`` lists the regions that both are made of.
    """
    found = {}
    for region in fitted_regions(config.regions, config.fit):
        name = choose_histogram(region, config.regions, config.fit.observable, histograms)
        if name not in histograms:
            raise LikelihoodError(f"regions.{region}.observable: no templates of {name!r}")
        table = read_table(histograms[name], name)
        edges = list(table.edges)
        whole = config.regions[region].is_single_bin
        main = _evaluate(table, config, estimate, region, whole)
        rows = {
            key: {
                **_compare(main, _evaluate(table, config, other, region, whole)),
                "shared": sorted(_list_read(estimate, region) & _list_read(other, region)),
            }
            for key, other in others.items()
            if other.parts(region)
        }
        if rows:
            edges = [edges[0], edges[-1]] if whole else edges
            found[region] = {"edges": edges, "used": _describe(*main), "others": rows}
    return {"sample": estimate.sample, "observable": config.fit.observable, "regions": found}


def _evaluate(
    table: Table, config: Config, estimate: MeasuredEstimate, region: str, whole: bool
) -> tuple[Array, Array]:
    """Give the estimate in the bins of a region, shape ``(n,)``, and its covariance."""
    simulated = [name for name, item in config.samples.items() if item.is_simulated]
    size = 1 if whole else len(table.edges) - 1
    values, covariance = np.zeros(size), np.zeros((size, size))
    shifts: dict[str, Array] = {}
    for part in estimate.parts(region):
        counts = [table.counts(name, part.place) for name in (DATA, *simulated)]
        data = part.factor * counts[0].values
        subtracted = part.factor * sum((item.values for item in counts[1:]), np.zeros(len(data)))
        variance = part.factor**2 * sum(item.variances for item in counts)
        rows = [data, subtracted, np.asarray(variance)]
        data, subtracted, variance = (row.sum(keepdims=True) if whole else row for row in rows)
        values = values + data - subtracted
        covariance = covariance + np.diag(variance)
        for name, change in part.changes.items():
            moved = 0.5 * (
                (change.data[0] - change.data[1]) * data
                - (change.simulated[0] - change.simulated[1]) * subtracted
            )
            shifts[name] = shifts.get(name, np.zeros(size)) + moved
    for shift in shifts.values():
        covariance = covariance + np.outer(shift, shift)
    return values, covariance


def _list_read(estimate: MeasuredEstimate, region: str) -> set[str]:
    """List the regions that an estimate is made of, whole."""
    places = (*estimate.filled_in(region), *estimate.method.measured_in)
    return {place.partition("[")[0] for place in places}


def _describe(values: Array, covariance: Array) -> dict[str, Any]:
    return {
        "values": values.tolist(),
        "sigma": np.sqrt(np.diag(covariance)).tolist(),
        "total": [float(values.sum()), float(np.sqrt(covariance.sum()))],
    }


def _compare(main: tuple[Array, Array], other: tuple[Array, Array]) -> dict[str, Any]:
    difference, covariance = other[0] - main[0], other[1] + main[1]
    known = np.diag(covariance) > 0.0  # a bin without any event says nothing
    chosen = covariance[np.ix_(known, known)]
    chi2 = float(difference[known] @ np.linalg.solve(chosen, difference[known]))
    bins = int(known.sum())
    return {
        **_describe(*other),
        "difference": {
            "total": [float(difference.sum()), float(np.sqrt(covariance.sum()))],
            "chi2": chi2,
            "bins": bins,
            "p_value": float(stats.chi2.sf(chi2, bins)) if bins else 1.0,
        },
    }
