"""Variations: which shifts and weights exist, and for which samples and regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.estimates.registry import counted_planes, filled_places
from taipan.systematics.base import Systematic

DIRECTIONS = {"up": 1.0, "down": -1.0}


@dataclass(frozen=True)
class Variation:
    """One direction of one systematic that has templates of its own.

    Attributes
    ----------
    name
        ``<systematic>_up`` or ``<systematic>_down``.
    systematic
        Its definition.
    sign
        +1 or -1.
    """

    name: str
    systematic: Systematic
    sign: float

    @property
    def alternatives(self) -> Sequence[str]:
        """Datasets that are filled in place of those of the samples."""
        return self.systematic.replacements(self.sign)

    def applies(self, sample: str, region: str) -> bool:
        """Tell whether it changes this sample in this region."""
        regions = self.systematic.regions
        return sample in self.systematic.samples and (regions is None or region in regions)


def acts_on_estimate(systematic: Systematic, samples: Mapping[str, Sample]) -> bool:
    """Tell whether a weight acts on what is estimated: on the events that stand for it."""
    return any(name in samples and not samples[name].is_simulated for name in systematic.samples)


def with_sources(systematic: Systematic, sources: Mapping[str, Sequence[str]]) -> Systematic:
    """Let a systematic that is confined to regions act in the sources of an estimate there, too.

    What is subtracted for an estimate in a region varies with the simulation in its source.
    """
    if systematic.regions is None:
        return systematic
    feeding = [place for name in systematic.regions for place in sources.get(name, ())]
    names = dict.fromkeys([*systematic.regions, *feeding])
    return systematic.model_copy(update={"regions": list(names)})


def varied_regions(
    regions: Mapping[str, Region], samples: Mapping[str, Sample]
) -> dict[str, Region]:
    """Choose the regions in which variations are filled: fitted ones, sources, looser ones.

    `regions` are those that are filled (:func:`taipan.estimates.registry.add_divided`).
    """
    sources = filled_places(samples)
    fitted = [name for name, item in regions.items() if item.role != "estimate"]
    feeding = {place for name in fitted for place in sources.get(name, ())}
    for plane in counted_planes(samples).values():
        feeding |= {plane.numerator, plane.denominator}
    feeding |= {place for name in fitted for place in regions[name].shapes_from}
    return {name: item for name, item in regions.items() if name in fitted or name in feeding}


def template_variations(
    systematics: Mapping[str, Systematic], samples: Mapping[str, Sample]
) -> list[Variation]:
    """List the variations that need templates, in the order of the configuration.

    A systematic says which directions it has; those that change yields alone need no templates. A
    variation of some regions acts in the sources of an estimate there, too.
    """
    found = []
    sources = filled_places(samples)
    for name, declared in systematics.items():
        systematic = with_sources(declared, sources)
        for direction in systematic.varied:
            found.append(Variation(f"{name}_{direction}", systematic, DIRECTIONS[direction]))
    return found
