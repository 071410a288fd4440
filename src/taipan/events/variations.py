"""Variations: which shifts and weights exist, and for which samples and regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taipan.config.model import Systematic

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


def template_variations(systematics: Mapping[str, Systematic]) -> list[Variation]:
    """List the variations that need templates, in the order of the configuration.

    Kinematic variations have both directions; weights and alternative samples are one-sided (up).
    Rates need no templates.
    """
    found = []
    for name, systematic in systematics.items():
        if systematic.kind == "rate":
            continue
        for direction in ("up", "down") if systematic.kind == "kinematic" else ("up",):
            found.append(Variation(f"{name}_{direction}", systematic, DIRECTIONS[direction]))
    return found
