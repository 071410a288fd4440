"""Checks of several data-taking periods: what they share, and what they must not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from taipan.config.base import Cited
from taipan.config.era_slices import Periods
from taipan.config.model import Config
from taipan.config.networks import list_trainings
from taipan.config.sections.fit import Fit
from taipan.datasets import Catalogue, data_datasets, find_inode, source_folder, used_datasets
from taipan.errors import TaipanError
from taipan.labels import TREE
from taipan.remote.opening import open_root
from taipan.skim.parts import RUNS

Problems = Iterator[str]


def check_one_period(config: Config) -> Problems:
    """Find names of eras in a run that has none.

    Yields
    ------
    str
        One line a problem.
    """
    for name, item in config.systematics.items():
        if isinstance(item.eras, dict):
            yield (
                f"systematics.{name}.eras: {', '.join(item.eras)}: the run has no eras (declare "
                "them in `eras`, or leave it out)"
            )


def check_eras(periods: Periods) -> Problems:
    """Check the eras against each other, each of which was checked by itself.

    Yields
    ------
    str
        One line a problem.
    """
    if len(periods) < 2:
        yield f"eras: {', '.join(periods)} alone is no set of eras (two or more, or leave it out)"
        return
    first, (config, _) = next(iter(periods.items()))
    for name, (other, _) in periods.items():
        for key in ("poi", "observable", "reference", "unblind", "confidence_level"):
            mine, theirs = getattr(config.fit, key), getattr(other.fit, key)
            if mine != theirs:
                yield (
                    f"eras.{name}.fit.{key}: {theirs!r} is not that of era {first} ({mine!r}); one "
                    "workspace has one"
                )
        for network, training in list_trainings(other).items():
            if training.pretrain.enabled:
                key = f"networks.{network}" if network else "training"
                yield (
                    f"eras.{name}.{key}.pretrain.catalogue: '{training.pretrain.catalogue}': a run "
                    "of several eras has no pre-training (leave it out)"
                )
        if other.coverage.simulation:
            yield (
                f"eras.{name}.coverage.simulation: a run of several eras has no larger simulation "
                "(leave it out)"
            )
        yield from _check_interests(name, other.fit, first, config.fit)
    yield from _check_correlations(periods)
    yield from _check_files(periods)


def _check_interests(era: str, fit: Fit, first: str, common: Fit) -> Problems:
    """Find a parameter of interest that is another one, or has another unit, in an era."""
    path = f"eras.{era}.fit"
    for name in sorted({*fit.pois[1:]} ^ {*common.pois[1:]}):
        where = era if name in fit.pois else first
        yield f"{path}.parameters_of_interest: '{name}' is one in era {where} alone; name it in all"
    for name in fit.pois:
        if name not in common.pois:
            continue
        mine, theirs = common.interests[name], fit.interests[name]
        for key in ("cross_section", "prediction", "label"):
            if getattr(mine, key) != getattr(theirs, key):
                yield (
                    f"{path}.parameters_of_interest.{name}.{key}: "
                    f"{_write(getattr(theirs, key))} is not that of era {first} "
                    f"({_write(getattr(mine, key))}); one parameter is of all eras"
                )
        if common.bounds(name) != fit.bounds(name):
            yield (
                f"{path}.parameters_of_interest.{name}.range: {_write(fit.bounds(name))} is not "
                f"that of era {first} ({_write(common.bounds(name))}), as a factor on yields"
            )
    if fit.cross_section != common.cross_section:
        yield (
            f"{path}.cross_section: {_write(fit.cross_section)} is not that of era {first} "
            f"({_write(common.cross_section)})"
        )
    if fit.unfolding != common.unfolding:
        yield f"{path}.unfolding: is not that of era {first}; one spectrum is of all eras"
    for sample, item in fit.unfolding.items():
        if item.curvature is not None:
            yield (
                f"{path}.unfolding.{sample}.curvature: {item.curvature:g}: the penalty would act "
                "once an era; leave it out"
            )


def _write(value: object) -> str:
    if isinstance(value, Cited):
        return f"{value.value:g} {value.unit} ({value.source})".replace("  ", " ")
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{item:g}" for item in value) + "]"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else repr(value)


def _check_correlations(periods: Periods) -> Problems:
    seen: dict[str, tuple[str, object]] = {}
    for era, (config, _) in periods.items():
        for name, item in config.systematics.items():
            path = f"systematics.{name}.eras"
            before, value = seen.setdefault(name, (era, item.eras))
            if value != item.eras:
                yield (
                    f"{path}: {item.eras!r} in era {era}, but {value!r} in era {before} (the same "
                    "in all)"
                )
            if isinstance(item.eras, dict) and before == era:
                unknown = [key for key in item.eras if key not in periods]
                absent = [key for key in periods if key not in item.eras]
                if unknown:
                    yield f"{path}: '{unknown[0]}' is no era ({', '.join(periods)})"
                elif absent:
                    yield f"{path}: {', '.join(absent)} is missing (a name for each era)"


def _check_files(periods: Periods) -> Problems:
    """Find a file that is in two eras: its events would count twice."""
    seen: dict[object, tuple[str, str]] = {}
    for era, (config, catalogue) in periods.items():
        if catalogue.kind == "simulation":
            continue  # every era makes its own
        for dataset in used_datasets(config, catalogue):
            for file in catalogue.dataset(dataset).files:
                known = _identify_file(config, catalogue, file)
                before, other = seen.setdefault(known, (era, dataset))
                if before != era:
                    yield (
                        f"eras.{era}: {file} of dataset '{dataset}' is a file of '{other}' of era "
                        f"{before}, too; its events would count twice (each file in one era)"
                    )


def _identify_file(config: Config, catalogue: Catalogue, file: str) -> object:
    try:
        path = source_folder(config, catalogue) / file
        return find_inode(path) if path.exists() else (str(path.parent), file)
    except (TaipanError, OSError):
        return (*config.remote.mirrors, *catalogue.mirrors, file)


def check_runs(periods: Periods) -> Problems:
    """Find runs of collision data that are in two eras, in files that are at hand.

    Yields
    ------
    str
        One line for each two datasets that share runs.
    """
    found: dict[tuple[str, str], frozenset[int]] = {}
    for era, (config, catalogue) in periods.items():
        if catalogue.kind == "simulation" or config.remote.access != "local":
            continue
        folder = source_folder(config, catalogue)
        for dataset in data_datasets(config, catalogue):
            files = [folder / file for file in catalogue.dataset(dataset).files]
            found[era, dataset] = frozenset().union(*map(_read_runs, files))
    for (era, dataset), (other, before) in itertools.combinations(found, 2):
        shared = sorted(found[era, dataset] & found[other, before])
        if era != other and shared:
            some = ", ".join(map(str, shared[:3])) + (", …" if len(shared) > 3 else "")
            yield (
                f"eras.{other}.data: {len(shared)} run{'s' if len(shared) > 1 else ''} of "
                f"'{before}' ({some}) {'are' if len(shared) > 1 else 'is'} in '{dataset}' of era "
                f"{era}, too; a run belongs to one era"
            )


def _read_runs(path: Path) -> frozenset[int]:
    """Read the numbers of the runs of a file, of its tree `Runs` or of its events."""
    directory = open_root(path)
    for name in (RUNS, TREE):
        if name in directory and "run" in set(directory[name].keys()):
            runs = np.unique(directory[name]["run"].array(library="np"))
            return frozenset(int(run) for run in runs)
    return frozenset()
