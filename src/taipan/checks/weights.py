"""Checks of the section `weights`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from taipan.analysis import Analysis
from taipan.config.model import Config
from taipan.config.sections.weights import Measurement
from taipan.errors import TaipanError
from taipan.events.corrections import read_correction
from taipan.suggestions import unknown
from taipan.systematics.weight import BUILT_IN


def check_weight_definitions(config: Config, analysis: Analysis) -> Iterator[str]:
    """Yield one line a problem of the section `weights`."""
    for name, weight in config.weights.items():
        path = f"weights.{name}"
        if name in BUILT_IN:
            yield f"{path}: the name is taken by a built-in weight ({', '.join(BUILT_IN)})"
        if not any(item.weight_name == name for item in config.systematics.values()):
            yield f"{path}: no systematic uses it; name it in systematics.*.weight, or leave it out"
        if weight.measure is not None:
            yield from _check_measurement(f"{path}.measure", weight.measure, config, analysis)
        elif weight.file is not None:
            if not Path(weight.file).is_file():
                yield f"{path}.file: '{weight.file}' is not a file (seen from {Path.cwd()})"
                continue
            try:
                read_correction(name, weight, analysis.quantities)
            except TaipanError as error:
                yield str(error)


def _check_measurement(
    path: str, measure: Measurement, config: Config, analysis: Analysis
) -> Iterator[str]:
    quantity = analysis.quantities.get(measure.quantity)
    if quantity is None or quantity.simulation_only or quantity.may_be_missing:
        allowed = [
            name
            for name, item in analysis.quantities.items()
            if not item.simulation_only and not item.may_be_missing
        ]
        what = "quantity that every event of data has"
        yield unknown(f"{path}.quantity", measure.quantity, what, allowed)
    for i, (low, high) in enumerate(itertools.pairwise(measure.binning)):
        if not low < high:
            yield (
                f"{path}.binning[{i + 1}]: {high:g} after {low:g}; edges must be strictly "
                "increasing"
            )
    for key in ("region", "denominator"):
        region = getattr(measure, key)
        if region is not None and region not in config.regions:
            yield unknown(f"{path}.{key}", region, "region", config.regions)
    sample = config.samples.get(measure.sample)
    if sample is None:
        yield unknown(f"{path}.sample", measure.sample, "sample", config.samples)
    elif sample.is_simulated == (measure.denominator is not None):
        yield (
            f"{path}.denominator: {measure.denominator!r}; a sample estimated from data needs it, "
            "a simulated one takes none"
        )
