"""Settings of the simulation and the numbers that follow from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from taipan.errors import TaipanError
from taipan.fastsim.mismodelling import MISMODELLING_FAMILIES
from taipan.fastsim.processes import COLLISION_SHARES, DATASETS, SAMPLES, collision_components


@dataclass(frozen=True)
class FastsimSettings:
    """What to simulate.

    Attributes
    ----------
    luminosity : float
        Integrated luminosity of the pseudo-data in fb^-1.
    mu : float
        Injected signal strength: factor on both Higgs processes in the pseudo-data.
    mismodelling_family : str
        ``none``, ``jets``, ``met`` or ``tau``: what the pseudo-data does differently.
    mismodelling_size : float
        Size of the mismodelling; 1 is the default magnitude, clearly visible.
    negative_fraction : float
        Share of events with weight -1 in the sample with signed weights; at least 0, below 0.5.
    events : Mapping[str, int]
        Events to write for each simulated dataset, counted after the generator filter.

    Raises
    ------
    TaipanError
        If a value is outside its range or a dataset is unknown; names the key and the value.
    """

    luminosity: float
    mu: float
    mismodelling_family: str
    mismodelling_size: float
    negative_fraction: float
    events: Mapping[str, int]

    def __post_init__(self) -> None:
        for name in ("luminosity", "mu", "mismodelling_size", "negative_fraction"):
            if not math.isfinite(getattr(self, name)):
                raise TaipanError(f"fastsim.{name}: {getattr(self, name)} is not a finite number")
        if self.luminosity <= 0.0:
            raise TaipanError(f"fastsim.luminosity: {self.luminosity} is not above 0 (fb^-1)")
        if self.mu < 0.0:
            raise TaipanError(f"fastsim.mu: {self.mu} is below 0")
        if self.mismodelling_family not in MISMODELLING_FAMILIES:
            raise TaipanError(
                f"fastsim.mismodelling_family: {self.mismodelling_family!r} is not one of "
                f"{', '.join(MISMODELLING_FAMILIES)}"
            )
        if not 0.0 <= self.negative_fraction < 0.5:
            raise TaipanError(
                f"fastsim.negative_fraction: {self.negative_fraction} is not in [0, 0.5)"
            )
        for dataset, number in self.events.items():
            if dataset not in SAMPLES:
                raise TaipanError(
                    f"fastsim.events.{dataset}: not a simulated dataset ({', '.join(SAMPLES)})"
                )
            if number < 0:
                raise TaipanError(f"fastsim.events.{dataset}: {number} is below 0")


def check_dataset(dataset: str) -> None:
    """Raise ``TaipanError`` if ``dataset`` is not one of ``DATASETS``."""
    if dataset not in DATASETS:
        raise TaipanError(f"fastsim: {dataset!r} is not a dataset ({', '.join(DATASETS)})")


def expected_collisions(settings: FastsimSettings, dataset: str) -> dict[str, float]:
    """Count the expected events of each process of pseudo-data, after the generator filter.

    Parameters
    ----------
    settings : FastsimSettings
        Luminosity (fb^-1) and injected signal strength.
    dataset : str
        ``Run2012B_TauPlusX`` or ``Run2012C_TauPlusX``.

    Returns
    -------
    dict
        Expected number of events by name of the process.
    """
    luminosity_pb = 1000.0 * settings.luminosity * COLLISION_SHARES[dataset]
    return {
        component.name: luminosity_pb
        * visible_cross_section
        * (settings.mu if component.signal else 1.0)
        for component, visible_cross_section in collision_components()
    }


def generated_events(settings: FastsimSettings, dataset: str) -> int:
    """Events written for a dataset; for pseudo-data the expected number, rounded.

    Raises
    ------
    TaipanError
        If the dataset is unknown or has no entry in ``settings.events``.
    """
    check_dataset(dataset)
    if dataset in COLLISION_SHARES:
        return round(sum(expected_collisions(settings, dataset).values()))
    if dataset not in settings.events:
        raise TaipanError(f"fastsim.events: no number of events for {dataset}")
    return settings.events[dataset]
