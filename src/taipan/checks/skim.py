"""Checks of how the skim is divided into jobs and where they run."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.analysis import Analysis
from taipan.config.model import Config
from taipan.datasets import Catalogue, used_datasets
from taipan.suggestions import unknown

SCHEDULER_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")
"""Protocols of a Dask scheduler."""


def check_skim(config: Config, catalogue: Catalogue) -> Iterator[str]:
    """Yield one line a problem of the section `skim`."""
    yield from _check_executor(config)
    yield from _check_entries(config, catalogue)


def _check_executor(config: Config) -> Iterator[str]:
    address = config.skim.dask_scheduler
    allowed = f"such as tcp://HOST:8786 ({', '.join(SCHEDULER_SCHEMES)})"
    if config.skim.executor == "dask" and address is None:
        yield f"skim.dask_scheduler: missing; skim.executor 'dask' needs the address, {allowed}"
    if address is not None and not address.startswith(
        tuple(f"{name}://" for name in SCHEDULER_SCHEMES)
    ):
        yield f"skim.dask_scheduler: '{address}' is not the address of a scheduler, {allowed}"


def _check_entries(config: Config, catalogue: Catalogue) -> Iterator[str]:
    """Files must be divisible into chunks: no job may be as long as a file of unknown length."""
    if catalogue.kind != "nanoaod":
        return
    for name in used_datasets(config, catalogue):
        dataset = catalogue.datasets.get(name)
        if dataset is None or dataset.entries:
            continue
        if len(dataset.files) > 1 or dataset.generated_events is None:
            yield (
                f"datasets.{name}.entries: missing in catalogue '{catalogue.name}'; a mapping of "
                "each file to its number of events is needed to divide it into jobs (or "
                "generated_events, for a dataset of a single file)"
            )


def check_luminosity(path: str, name: str, catalogue: Catalogue) -> Iterator[str]:
    """Yield what is wrong with the luminosity of a dataset of collision data."""
    period = catalogue.datasets[name].same_period
    measured = [
        other for other, item in catalogue.datasets.items() if item.luminosity and item.is_data
    ]
    if period is not None and period not in measured:
        what = "dataset of collision data with a luminosity"
        yield unknown(f"datasets.{name}.same_period", period, what, measured)
    elif period is None and name not in measured:
        yield f"{path}: '{name}' has no luminosity in catalogue '{catalogue.name}'"


def check_envelope(config: Config, analysis: Analysis) -> Iterator[str]:
    """Yield a line for each key of `skim.envelope` that no shift of the analysis asks for."""
    needed = sorted({s.envelope for s in analysis.shifts.values() if s.envelope is not None})
    for key in config.skim.envelope:
        if key not in needed:
            yield unknown(f"skim.envelope.{key}", key, "threshold of the analysis module", needed)
