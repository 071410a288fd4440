"""Which samples a dataset fills, and which variations change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from taipan.config.sections.samples import Sample
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents
from taipan.events.variations import Variation, acts_on_estimate
from taipan.labels import DATA
from taipan.templates.empty import FillSettings


def processes_of(
    dataset: str, samples: Mapping[str, Sample], variations: Sequence[Variation]
) -> list[str]:
    """List the samples that a dataset belongs to, or stands for in a systematic.

    Raises
    ------
    TaipanError
        If there is none.
    """
    own = [name for name, sample in samples.items() if dataset in sample.datasets]
    for variation in variations:
        if dataset in variation.alternatives:
            own += [name for name in variation.systematic.samples if name not in own]
    if not own:
        raise TaipanError(f"dataset '{dataset}' belongs to no sample and no systematic")
    return own


def list_processes(events: DatasetEvents, settings: FillSettings) -> list[str]:
    """List the processes of the histograms of a dataset."""
    if events.is_data:
        return [DATA]
    return processes_of(events.name, settings.samples, settings.variations)


def concerns(variation: Variation, events: DatasetEvents, samples: Mapping[str, Sample]) -> bool:
    """Tell whether a variation changes something of a dataset."""
    systematic = variation.systematic
    if not systematic.fills_events or systematic.has_members:
        return False  # made of filled histograms (taipan.templates.residual and .members)
    if acts_on_estimate(systematic, samples):
        nominal = any(events.name in sample.datasets for sample in samples.values())
        return events.is_data or nominal
    if events.is_data:
        return False
    if systematic.alternatives:
        return events.name in variation.alternatives
    return any(events.name in samples[name].datasets for name in systematic.samples)
