"""Checks of `fit.unfolding`, whose samples are divided before anything else is read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from taipan.analysis import Analysis
from taipan.config.model import Config
from taipan.config.truth_bins import name_bins
from taipan.suggestions import unknown


def check_unfolding(config: Config, analysis: Analysis) -> Iterator[str]:
    """Yield one line a problem of `fit.unfolding`."""
    generated = [name for name, item in analysis.quantities.items() if item.simulation_only]
    for sample, item in config.fit.unfolding.items():
        path, bins = f"fit.unfolding.{sample}", len(item.edges) - 1
        if not set(name_bins(sample, bins)) <= set(config.samples):
            yield unknown(path, sample, "sample", config.samples)
        for i, (low, high) in enumerate(pairwise(item.edges)):
            if not low < high:
                yield f"{path}.edges[{i + 1}]: {high:g} is not above {low:g}; edges must increase"
        if item.quantity not in generated:
            what = "quantity of the generator (one that only simulation has)"
            yield unknown(f"{path}.quantity", item.quantity, what, generated)
        if item.curvature is not None and bins < 3:
            yield (
                f"{path}.curvature: {item.curvature:g}: {bins} truth bins have no curvature "
                "(three at least)"
            )
        found = item.cross_sections
        if found is not None and len(found) != bins:
            yield f"{path}.cross_sections: {len(found)} numbers for {bins} truth bins"
