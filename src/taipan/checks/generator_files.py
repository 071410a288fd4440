"""Checks of the generator weights in files that are at hand, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from taipan.config.model import Config
from taipan.datasets import Catalogue, nominal_datasets, source_folder
from taipan.errors import TaipanError
from taipan.labels import TREE
from taipan.remote.opening import open_root
from taipan.skim.parts import GeneratedSums, Part, read_generated, read_generated_lists
from taipan.skim.read_lists import count_lists
from taipan.skim.schema import branch_title
from taipan.skim.weight_lists import WeightSums
from taipan.skim.weight_means import WeightMeans, average_weights, choose_generator
from taipan.systematics.members import generator_branches


def check_generator_files(config: Config, catalogue: Catalogue) -> Iterator[str]:
    """Look into the files for the generator weights that systematics need.

    The lengths of all lists are read, and the sums of the tree `Runs`, but no weights. Files that
    are elsewhere are looked into by the skim, those of a simulation are not there yet.

    Parameters
    ----------
    config
        Checked configuration.
    catalogue
        Its catalogue.

    Yields
    ------
    str
        One line a problem, with file, branch and numbers.
    """
    if catalogue.kind != "nanoaod" or config.remote.access != "local":
        return
    folder = source_folder(config, catalogue)
    found: dict[str, dict[str, WeightMeans]] = {}
    problems: list[str] = []
    for name in nominal_datasets(config, catalogue):
        branches = generator_branches(config, name)
        parts = []
        for file in catalogue.dataset(name).files if branches else ():
            try:
                parts.append(_look_into(folder / file, file, branches))
            except TaipanError as error:
                problems.append(str(error))
        try:
            found[name] = average_weights(name, parts)
        except TaipanError as error:
            problems.append(str(error))
    if not problems:
        try:
            datasets = {name: sample.datasets for name, sample in config.samples.items()}
            choose_generator(config.systematics, datasets, found)
        except TaipanError as error:
            problems += str(error).splitlines()
    yield from problems


def _look_into(path: Path, name: str, branches: Sequence[str]) -> Part:
    """Describe a file as the skim would if every weight were 1."""
    directory = open_root(path)
    if TREE not in directory:
        raise TaipanError(f"{path} has no tree '{TREE}'")
    tree: Any = directory[TREE]
    entries = int(tree.num_entries)
    counts = count_lists(tree, branches, (0, entries), path)
    generated = read_generated(directory, path)
    of_runs: dict[str, tuple[float, ...] | None] = dict.fromkeys(branches)
    if generated is not None and generated.events > entries:
        of_runs = read_generated_lists(directory, counts, path)
    lists = {
        branch: WeightSums(branch_title(tree[branch]), (float(entries),) * count, of_runs[branch])
        for branch, count in counts.items()
    }
    read = GeneratedSums(entries, float(entries), float(entries))
    return Part(name, 0, entries, entries, read, generated, lists=lists)
