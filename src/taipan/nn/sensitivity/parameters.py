"""The parameters of the fit, and those that change yields without looking at the event."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.estimates.registry import MeasuredEstimate, filled_places
from taipan.events.variations import with_sources
from taipan.labels import DATA
from taipan.systematics.base import Systematic


@dataclass
class ParameterNumbers:
    """Numbers of the parameters, in the order in which they are met.

    Attributes
    ----------
    numbers
        Parameter → its number; the parameter of interest has 0.
    free
        Those without a constraint.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    free: set[str] = field(default_factory=set)

    def number(self, name: str) -> int:
        """Give the number of a parameter; a new one if it was not met before."""
        return self.numbers.setdefault(name, len(self.numbers))


@dataclass(frozen=True)
class RateSlopes:
    """Relative slopes of whole samples.

    Attributes
    ----------
    config
        Sections `samples`, `systematics` and `fit`.
    estimate
        Estimate of a sample from data, None if all are simulated.
    """

    config: Config
    estimate: MeasuredEstimate | None

    def list_free(self) -> list[str]:
        """List the parameters without a constraint, the one of interest first."""
        fit = self.config.fit
        return list(dict.fromkeys([*fit.pois, *fit.normalisations]))

    def find(self, shown: str, own: str, region: str) -> dict[str, float]:
        """Give the relative slope of a yield by each parameter that scales all of it.

        Parameters
        ----------
        shown
            Sample to which the events are added.
        own
            Simulated sample that they are from (of an estimate: that is subtracted), or `data`.
        region
            Fitted region.
        """
        found: dict[str, float] = {}
        if own != DATA:
            found |= self._normalisations(own, region)
            found |= self._rates(own, region)
        if shown != own and self.estimate is not None:
            found |= self._rates(shown, region)
            found |= self._factor(region, is_data=own == DATA)
        return found

    def _normalisations(self, own: str, region: str) -> dict[str, float]:
        fit = self.config.fit
        scale = fit.find_scale(own, is_signal=self.config.samples[own].role == "signal")
        found = {}
        if scale is not None:
            values = {name: item.prediction for name, item in fit.interests.items()}
            total = scale.evaluate(values)
            if total == 0.0:
                raise TaipanError(
                    f"fit: sample '{own}' has no yield at the predicted parameters, so that "
                    "training.loss cannot be an uncertainty around them"
                )
            found = {name: scale.slope(name, values) / total for name in scale.names}
        for name, factor in fit.normalisations.items():
            if own in factor.samples and (factor.regions is None or region in factor.regions):
                found[name] = 1.0
        return found

    def _rates(self, sample: str, region: str) -> dict[str, float]:
        """Slopes of the exponential interpolation at 0, as HistFactory has it."""
        found = {}
        for name, systematic in self.acting(region).items():
            if sample not in systematic.samples:
                continue
            if sample in self.config.fit.unmeasured.get(name, ()):
                continue
            up, down = systematic.yield_factor(1.0), systematic.yield_factor(-1.0)
            if up is not None and down is not None:
                slope = 0.5 * math.log(up / down)
                found[name_parameter(name, systematic, sample, region)] = slope
        return found

    def _factor(self, region: str, *, is_data: bool) -> dict[str, float]:
        """Uncertainty of the factor of an estimate; of one in parts, that of their mean."""
        assert self.estimate is not None
        parts = self.estimate.parts(region)
        found: dict[str, float] = {}
        for part in parts:
            for name, change in part.changes.items():
                up, down = change.data if is_data else change.simulated
                found[name] = found.get(name, 0.0) + 0.5 * (up - down) / len(parts)
        return found

    def acting(self, region: str) -> Mapping[str, Systematic]:
        """Give the systematics that act in a fitted region."""
        places = filled_places(self.config.samples)
        found = {name: with_sources(item, places) for name, item in self.config.systematics.items()}
        return {
            name: item
            for name, item in found.items()
            if item.regions is None or region in item.regions
        }


def name_parameter(name: str, systematic: Systematic, sample: str, region: str) -> str:
    """Name the parameter of a systematic; one for rate and shape alike."""
    parts = [name]
    if "sample" in systematic.decorrelate:
        parts.append(sample)
    if "region" in systematic.decorrelate:
        parts.append(region)
    return "_".join(parts)
