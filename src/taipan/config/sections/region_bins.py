"""Histograms of an observable with the bins of one region.

A region may have edges of its own, given (`regions.NAME.binning`) or chosen for it. What is fitted
there is a further histogram of the same quantity, `<region>_<observable>`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region


def name_own(observable: str, region: str) -> str:
    """Name the histogram of an observable with the bins of a region."""
    return f"{region}_{observable}"


def own_histograms(
    observables: Collection[str], regions: Mapping[str, Region], *, optimised: bool
) -> dict[str, tuple[str, str]]:
    """List the histograms with bins of one region.

    Parameters
    ----------
    observables
        Names of the section `observables`.
    regions
        Definitions.
    optimised
        Whether edges are chosen (`templates.binning.method`). If there is one signal region, they
        are those of its observable everywhere.

    Returns
    -------
    dict
        Histogram → observable and region.
    """
    signal = [item for item in regions.values() if item.role == "signal"]
    several = len(signal) > 1 or any(item.observable for item in signal)
    found = {}
    for region, item in regions.items():
        if not item.is_fitted or item.is_single_bin:
            continue
        for name in observables if item.observable is None else [item.observable]:
            chosen = optimised and several and item.has_chosen_edges
            if chosen or item.edges_of(name) is not None:
                found[name_own(name, region)] = (name, region)
    return found


def expand_observables(
    observables: Mapping[str, Observable], regions: Mapping[str, Region], *, optimised: bool = False
) -> dict[str, Observable]:
    """Add the histograms with bins of one region to the observables; as :func:`own_histograms`."""
    found = dict(observables)
    for name, (base, region) in own_histograms(observables, regions, optimised=optimised).items():
        known = observables[base]
        edges = regions[region].edges_of(base) or known.binning
        change = {"quantity": known.quantity or base, "binning": edges}
        found[name] = known.model_copy(update=change)
    return found


def choose_histogram(
    region: str, regions: Mapping[str, Region], main: str, filled: Collection[str]
) -> str:
    """Name the histogram that is fitted in a region.

    Parameters
    ----------
    region, regions
        Name of the region, definitions of all.
    main
        Observable of the fit.
    filled
        Names of the histograms that there are, as :func:`expand_observables` gives them.
    """
    item = regions[region]
    name = item.choose_observable(main)
    if item.is_single_bin:
        return name
    own = name_own(name, region)
    return own if own in filled or item.edges_of(name) is not None else name
