"""Variations: which shifts and weights exist, and for which samples and regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taipan.config.sections.regions import Region
from taipan.config.sections.samples import Sample
from taipan.config.sections.systematics import Systematic

NOMINAL = "nominal"
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

    def applies(self, sample: str, region: str) -> bool:
        """Tell whether it changes this sample in this region."""
        regions = self.systematic.regions
        return sample in self.systematic.samples and (regions is None or region in regions)


def is_data_driven(systematic: Systematic, samples: Mapping[str, Sample]) -> bool:
    """Tell whether a weight acts on data-driven samples: on the events they are made of."""
    return any(
        name in samples and samples[name].estimate == "same_sign" for name in systematic.samples
    )


def with_partners(systematic: Systematic, regions: Mapping[str, Region]) -> Systematic:
    """Let a systematic that is confined to regions act in their same-sign partners, too.

    What is subtracted for a data-driven estimate in a region varies with the simulation there.
    """
    if systematic.regions is None:
        return systematic
    partners = [regions[name].same_sign for name in systematic.regions if name in regions]
    names = dict.fromkeys([*systematic.regions, *(name for name in partners if name)])
    return systematic.model_copy(update={"regions": list(names)})


def varied_regions(regions: Mapping[str, Region]) -> dict[str, Region]:
    """Choose the regions in which variations are filled: those fitted and their partners."""
    fitted = [name for name, item in regions.items() if item.role != "estimate"]
    partners = [regions[name].same_sign for name in fitted]
    return {name: item for name, item in regions.items() if name in fitted or name in partners}


def template_variations(
    systematics: Mapping[str, Systematic], regions: Mapping[str, Region]
) -> list[Variation]:
    """List the variations that need templates, in the order of the configuration.

    Kinematic variations have both directions unless they are declared one-sided; weights and
    alternative samples have one (up).
    Rates need no templates. A variation of some regions acts in their same-sign partners, too.
    """
    found = []
    for name, declared in systematics.items():
        if declared.kind == "rate":
            continue
        systematic = with_partners(declared, regions)
        two_sided = systematic.kind == "kinematic" and not systematic.one_sided
        for direction in ("up", "down") if two_sided else ("up",):
            found.append(Variation(f"{name}_{direction}", systematic, DIRECTIONS[direction]))
    return found
