"""What a configuration and its analysis hold, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from taipan.config.model import Config
from taipan.config.sections.fit import fitted_regions
from taipan.datasets import Catalogue, total_luminosity

if TYPE_CHECKING:
    from taipan.analysis import Analysis


def describe_config(config: Config, catalogue: Catalogue) -> str:
    """Say in one line what a checked configuration holds."""
    fitted = fitted_regions(config.regions, config.fit)
    return (
        f"{config.analysis} on {catalogue.name}: {total_luminosity(config, catalogue):g} fb⁻¹, "
        f"{len(config.samples)} samples, {len(config.regions)} regions "
        f"({len(fitted)} fitted), {len(config.features)} features, "
        f"{len(config.systematics)} systematics; no problem found"
    )


def describe_quantities(analysis: Analysis) -> Iterator[str]:
    """Give a line for each quantity and each shift of an analysis, under two headings."""
    yield "Quantities (cuts, features, observables, control_plots):"
    for quantity in sorted(analysis.quantities.values(), key=lambda q: q.name):
        unit = f" [{quantity.unit}]" if quantity.unit else ""
        absent = "; missing for some events" if quantity.may_be_missing else ""
        yield f"  {quantity.name:<12} {quantity.meaning}{unit}{absent}"
    yield "Shifts (systematics of kind kinematic):"
    for name, shift in analysis.shifts.items():
        limit = f"; at most skim.envelope.{shift.envelope}" if shift.envelope else ""
        yield f"  {name:<16} {shift.meaning}{limit}"
