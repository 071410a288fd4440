"""What the jobs that combine data-taking periods are given of the configuration of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taipan.config.model import Config
from taipan.config.slices import hash_catalogue, hash_config, slice_config
from taipan.datasets import Catalogue, data_datasets, plan_chunks, total_luminosity

Periods = Mapping[str, tuple[Config, Catalogue]]
"""Era → its configuration and its catalogue."""


def place_of_era(config: Config) -> str:
    """Give the folder of the results of an era."""
    return f"{config.results}/{config.analysis}"


def list_identities(periods: Periods) -> dict[str, list[str]]:
    """Give era and dataset of collision data → lists of its events; simulations number alike."""
    found = {}
    for era, (config, catalogue) in periods.items():
        if catalogue.kind == "simulation":
            continue
        for name in data_datasets(config, catalogue):
            entry = catalogue.dataset(name)
            events = None if catalogue.kind == "skims" else entry.generated_events
            chunks = plan_chunks(entry, events, config.skim.chunk_events)
            folder = f"{place_of_era(config)}/identities/{name}"
            found[f"{era}:{name}"] = [f"{folder}/{i}.parquet" for i in range(len(chunks))]
    return found


def list_correlations(periods: Periods) -> dict[str, Any]:
    """Give systematic → its key `eras`."""
    return {
        name: item.eras
        for config, _ in periods.values()
        for name, item in config.systematics.items()
    }


def list_groups(periods: Periods) -> dict[str, str]:
    """Give parameter, in an era or common → its group in the uncertainty breakdown."""
    found: dict[str, str] = {}
    for era, (config, _) in periods.items():
        for name, item in config.systematics.items():
            own = item.eras.get(era) if isinstance(item.eras, dict) else name
            found |= {own or name: item.group, name: item.group, f"{era}_{name}": item.group}
    return found


def list_normalisations(periods: Periods) -> list[str]:
    """List the free normalisations, sorted; they are the same in all eras."""
    return sorted({name for config, _ in periods.values() for name in config.fit.normalisations})


def merge_sections(periods: Periods, *keys: str) -> dict[str, Any]:
    """Give sections with the entries of all eras; where two have one, it is that of the first."""
    merged: dict[str, Any] = {key: {} for key in keys}
    for config, _ in periods.values():
        for key, entries in slice_config(config, *keys).items():
            merged[key] = {**entries, **merged[key]}
    return merged


def make_header(periods: Periods) -> dict[str, Any]:
    """Give what stands above a figure: label, luminosity of all in fb⁻¹, energy in TeV.

    Label and energy are those of the catalogue, or of the analysis where it has none. The energy
    is None if it is not the same in all eras.
    """
    config, catalogue = next(iter(periods.values()))
    energies = {catalogue.energy or config.energy for config, catalogue in periods.values()}
    pseudo = all(one.pseudo_data is not None for _, one in periods.values())
    return {
        "label": catalogue.label or config.experiment,
        "luminosity": sum(_luminosities(periods).values()),
        "energy": energies.pop() if len(energies) == 1 else None,
        **({"data": "Pseudo-data"} if pseudo else {}),
    }


def identify_eras(periods: Periods) -> dict[str, Any]:
    """Say what was run: luminosity of each era, hashes of its configuration and catalogue."""
    return {
        "luminosity": _luminosities(periods),
        "provenance": {
            "config": {era: hash_config(config) for era, (config, _) in periods.items()},
            "catalogue": {era: hash_catalogue(one) for era, (_, one) in periods.items()},
        },
    }


def _luminosities(periods: Periods) -> dict[str, float]:
    return {era: total_luminosity(config, one) for era, (config, one) in periods.items()}
