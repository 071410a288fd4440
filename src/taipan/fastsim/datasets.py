"""Making whole datasets: batches of events, mixtures of processes, files, the truth record."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from taipan.atomic import replacing, write_json
from taipan.fastsim import resonances
from taipan.fastsim.branches import convert_types
from taipan.fastsim.detector import Conditions, simulate_detector
from taipan.fastsim.detector_response import PILE_UP_DATA, PILE_UP_SIMULATION
from taipan.fastsim.event_table import EventTable
from taipan.fastsim.generator_filter import Generator, generate_filtered
from taipan.fastsim.hard_events import HardEvents, join_events
from taipan.fastsim.kinematics import Floats
from taipan.fastsim.mismodelling import DetectorDifference, make_mismodelling
from taipan.fastsim.other_processes import QCD_OS_SS_FACTOR
from taipan.fastsim.processes import (
    COLLISION_SHARES,
    QCD_CROSS_SECTION,
    SAMPLES,
    SimulatedSample,
    collision_components,
)
from taipan.fastsim.root_file import write_tree
from taipan.fastsim.seeding import generator_for
from taipan.fastsim.settings import (
    FastsimSettings,
    check_dataset,
    expected_collisions,
    generated_events,
)

logger = logging.getLogger(__name__)

BATCH_EVENTS = 25_000
"""Events made at a time; the memory of a job does not depend on the size of its dataset."""

_EVENTS_PER_BLOCK = 500
# First runs of the two periods with good data, as in the collision files of record 12350.
_FIRST_RUN = {"Run2012B_TauPlusX": 193833, "Run2012C_TauPlusX": 198022}
_RUNS = 400


def write_dataset(dataset: str, path: Path, settings: FastsimSettings, seed: int) -> dict[str, Any]:
    """Simulate a dataset and write it as a ROOT file, atomically.

    The same dataset, settings and seed give the same bytes.

    Parameters
    ----------
    dataset : str
        One of ``DATASETS``.
    path : pathlib.Path
        File to write; its folder is created.
    settings : FastsimSettings
        What to simulate.
    seed : int
        The seed of the configuration.

    Returns
    -------
    dict
        ``dataset``, ``events`` (written), ``sumw`` (sum of the generator weights) and ``seconds``.

    Raises
    ------
    TaipanError
        If the dataset is unknown, its number of events is missing, or the file cannot be written.
    """
    check_dataset(dataset)
    start = time.perf_counter()
    weights: list[float] = []
    batches = _make_batches(dataset, settings, seed)
    with replacing(path) as temporary:
        events = write_tree(temporary, f"{dataset}/{seed}", _count_weights(batches, weights))
    seconds = time.perf_counter() - start
    logger.info("%s: %d events, sumw %.1f, %.1f s", dataset, events, sum(weights), seconds)
    return {"dataset": dataset, "events": events, "sumw": sum(weights), "seconds": seconds}


def _count_weights(tables: Iterator[EventTable], sums: list[float]) -> Iterator[EventTable]:
    for table in tables:
        ones = np.ones(len(table.scalars["event"]))
        sums.append(float(np.sum(table.scalars.get("genWeight", ones), dtype=np.float64)))
        yield table


def _make_batches(dataset: str, settings: FastsimSettings, seed: int) -> Iterator[EventTable]:
    """Make the tables of a dataset, at least one, so that an empty file has its branches."""
    total = generated_events(settings, dataset)
    batches = max(1, math.ceil(total / BATCH_EVENTS))
    offset = 0
    for batch in range(batches):
        rng = generator_for(seed, dataset, batch)
        if dataset in COLLISION_SHARES:
            events, conditions = _make_collisions(rng, dataset, settings, batches)
            weights = None
        else:
            share = total * (batch + 1) // batches - total * batch // batches
            events, weights = _make_simulation(rng, SAMPLES[dataset], settings, share)
            conditions = Conditions(PILE_UP_SIMULATION, DetectorDifference(), simulated=True)
        table = simulate_detector(rng, events, conditions)
        scalars = {**table.scalars, **_identify_events(dataset, offset, len(events))}
        if weights is not None:
            scalars["genWeight"] = weights
        yield convert_types(EventTable(scalars, table.collections))
        offset += len(events)


def _identify_events(dataset: str, offset: int, count: int) -> dict[str, np.ndarray[Any, Any]]:
    """Run, luminosity block and event number: no two events of a dataset share all three."""
    number = offset + np.arange(count)
    block = number // _EVENTS_PER_BLOCK
    if dataset not in COLLISION_SHARES:
        run, block = np.ones(count, dtype=np.int64), block + 1
    else:
        run, block = _FIRST_RUN[dataset] + block % _RUNS, block // _RUNS + 1
    return {"run": run, "luminosityBlock": block, "event": number + 1}


def _mix(
    rng: np.random.Generator, generators: list[Generator], counts: list[int]
) -> tuple[HardEvents, np.ndarray[Any, Any]]:
    """Generate several processes and shuffle; also return which process each event is."""
    parts = [
        generate_filtered(rng, generate, count)
        for generate, count in zip(generators, counts, strict=True)
    ]
    order = rng.permutation(sum(counts))
    return join_events(parts).take(order), np.repeat(np.arange(len(counts)), counts)[order]


def _make_collisions(
    rng: np.random.Generator, dataset: str, settings: FastsimSettings, batches: int
) -> tuple[HardEvents, Conditions]:
    """One batch of pseudo-data: a Poisson number of every process."""
    expected = expected_collisions(settings, dataset)
    components = [component for component, _ in collision_components()]
    counts = [int(rng.poisson(expected[part.name] / batches)) for part in components]
    events, _ = _mix(rng, [part.generate for part in components], counts)
    mismodelling = make_mismodelling(settings.mismodelling_family, settings.mismodelling_size)
    return events, Conditions(PILE_UP_DATA, mismodelling, simulated=False)


def _make_simulation(
    rng: np.random.Generator, sample: SimulatedSample, settings: FastsimSettings, count: int
) -> tuple[HardEvents, Floats | None]:
    """One batch of a simulated sample and, if it is signed, its weights.

    A signed sample has the density p of its process with weight +1, and another density q once
    with +1 and once, in other events, with -1: the expectation of the signed sum is p exactly.
    """
    if not sample.signed:
        parts = sample.components
        shares = np.array([part.filter_efficiency for part in parts]) / sample.filter_efficiency
        counts = rng.multinomial(count, shares)
        events, _ = _mix(rng, [part.generate for part in parts], [int(n) for n in counts])
        return events, None
    negative = settings.negative_fraction
    counts = rng.multinomial(count, [1.0 - 2.0 * negative, negative, negative])
    other = resonances.generate_z_to_taus_radiative
    generators: list[Generator] = [sample.components[0].generate, other, other]
    events, kind = _mix(rng, generators, [int(n) for n in counts])
    return events, np.where(kind == 2, -1.0, 1.0)


def write_truth(path: Path, settings: FastsimSettings, seed: int) -> None:
    """Write what is true about the pseudo-data as JSON, atomically.

    Keys: ``seed``, ``luminosity`` (fb^-1), ``mu``, ``strengths`` (dataset to what its cross section
    is multiplied by in the pseudo-data), ``mismodelling`` (family, size and the shifts in physical
    units), ``qcd_os_ss_factor``, ``pile_up``, ``filter_efficiency`` by sample,
    ``expected_events`` by dataset and process (after the generator filter) and
    ``negative_fraction``.
    """
    shifts = make_mismodelling(settings.mismodelling_family, settings.mismodelling_size)
    write_json(
        path,
        {
            "seed": seed,
            "luminosity": settings.luminosity,
            "mu": settings.mu,
            "strengths": {
                name: settings.mu if any(part.signal for part in sample.components) else 1.0
                for name, sample in SAMPLES.items()
            },
            "mismodelling": {
                "family": settings.mismodelling_family,
                "size": settings.mismodelling_size,
                **asdict(shifts),
                "units": {
                    "jet_scale": "relative",
                    "extra_jet_probability": "per event",
                    "unclustered_scale": "relative",
                    "extra_met_width": "GeV",
                    "tau_scale": "relative",
                },
            },
            "qcd_os_ss_factor": QCD_OS_SS_FACTOR,
            "qcd_cross_section_pb": QCD_CROSS_SECTION,
            "negative_fraction": settings.negative_fraction,
            "pile_up": {"data": asdict(PILE_UP_DATA), "simulation": asdict(PILE_UP_SIMULATION)},
            "filter_efficiency": {
                name: sample.filter_efficiency for name, sample in SAMPLES.items()
            },
            "expected_events": {
                dataset: expected_collisions(settings, dataset) for dataset in COLLISION_SHARES
            },
            "generated_events": {name: settings.events.get(name, 0) for name in SAMPLES},
        },
    )
