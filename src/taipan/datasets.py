"""The dataset catalogue: files, events, cross sections, luminosity, and what they normalise to."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from taipan.config.base import Bounded, Cited, Name, Positive, Strict, Url
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.table_format import TABLE_SUFFIXES, TableFormat

PB_PER_FB = 1000.0
SIMULATED = "simulation"
"""Folder of simulated files, in that of the results."""
_FILE_NAME = re.compile(r"([\w+-][\w.+-]*/)*[\w+-][\w.+-]*", re.ASCII)  # no part begins with a dot
Adler32 = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]


class Dataset(Strict):
    """Files of one kind that are normalised together."""

    files: list[str] = Field(
        min_length=1, description="Names of the files, relative to the folder of the source."
    )
    is_data: bool = Field(description="Collision data (true) or simulation (false).")
    luminosity: Cited | None = Field(
        None,
        description="Integrated luminosity of collision data in fb⁻¹ (a simulation has its own).",
    )
    same_period: Name | None = Field(
        None,
        description="Dataset of collision data from the same running period (another primary "
        "dataset); its luminosity counts once, for both.",
    )
    cross_section: Cited | None = Field(
        None, description="Inclusive cross section of simulation in pb; data have none."
    )
    branching_ratio: Cited | None = Field(
        None, description="Fraction of the cross section that this final state has."
    )
    filter_efficiency: Cited | None = Field(
        None, description="Fraction of the generated events that a filter in the generator kept."
    )
    generated_events: Annotated[int, Field(gt=0)] | None = Field(
        None, description="Events of the unskimmed sample; compared with those seen."
    )
    sumw: float | None = Field(
        None,
        description="Σ genWeight of the unskimmed sample, compared with the one seen; left out "
        "where every weight is 1.",
    )
    entries: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict,
        description="File → events in it, all files or none; needed to divide a dataset of several "
        "files into jobs, and where a single file holds fewer than `generated_events`.",
    )
    label: str | None = Field(
        None, description="Of tables: rows with this value in the column `table.label`."
    )
    constants: dict[str, Bounded] = Field(
        default_factory=dict,
        description="Of tables: branch → number in every row of this dataset, in the place of that "
        "in `table.columns`.",
    )
    record: str | int | None = Field(None, description="Record of the CERN Open Data portal.")
    doi: str | None = Field(None, description="DOI of the files.")
    licence: str | None = Field(None, description="Licence of the files.")
    sizes: dict[str, Annotated[int, Field(gt=0)]] = Field(
        default_factory=dict, description="File → bytes; one that is not listed is not compared."
    )
    adler32: dict[str, Adler32] = Field(
        default_factory=dict,
        description="File → Adler-32 checksum, as the CERN Open Data portal states it; the content "
        "of a file without any checksum is not verified.",
    )
    sha256: dict[str, str] = Field(
        default_factory=dict, description="File → SHA-256 checksum, 64 hexadecimal digits."
    )

    @model_validator(mode="after")
    def _normalisable(self) -> Dataset:
        for file in self.files:
            if not _FILE_NAME.fullmatch(file):
                raise ValueError(f"`files`: '{file}' is not a path below the folder of the source")
        for key in ("sizes", "adler32", "sha256"):
            other = sorted(set(getattr(self, key)) - set(self.files))
            if other:
                raise ValueError(f"`{key}` names {other[0]}, which is not in `files`")
        of_tables = all(file.endswith(TABLE_SUFFIXES) for file in self.files)  # have weights
        if not self.is_data and self.cross_section is None and not of_tables:
            raise ValueError("a simulated dataset needs `cross_section`")
        if self.is_data and self.cross_section is not None:
            raise ValueError("a dataset of collision data takes no `cross_section`")
        if self.same_period is not None and (not self.is_data or self.luminosity is not None):
            raise ValueError(
                "`same_period` is for collision data, and stands in the place of `luminosity`"
            )
        if self.entries and set(self.entries) != set(self.files):
            raise ValueError("`entries` must list every file of `files`, and no other")
        return self

    def expected(self, file: str) -> dict[str, int | str | None]:
        """Size and checksums of a file, None where they are not known."""
        return {
            "size": self.sizes.get(file),
            "adler32": self.adler32.get(file),
            "sha256": self.sha256.get(file),
        }

    @property
    def effective_cross_section(self) -> float:
        """Cross section times branching ratio times filter efficiency, in pb."""
        if self.cross_section is None:
            raise TaipanError("collision data have no cross section")
        product = self.cross_section.value
        for factor in (self.branching_ratio, self.filter_efficiency):
            product *= factor.value if factor is not None else 1.0
        return product


class Catalogue(Strict):
    """A file of the folder ``datasets`` of an analysis."""

    name: str = Field(description="Name of the file, without .yaml.")
    kind: Literal["simulation", "skims", "nanoaod", "tables"] = Field(
        description="`simulation`: made on the spot by `simulation.py` of the analysis; `skims`: "
        "flat, already skimmed ntuples in the folder `skims`; `nanoaod`: NanoAOD files in the "
        "folder `files` or on the mirrors; `tables`: Parquet, CSV or HDF5 files there."
    )
    table: TableFormat | None = Field(
        None,
        description="How tables are read (kind `tables`, or a simulation that writes tables).",
    )
    description: str = Field(description="What the datasets are.")
    label: str = Field(
        "",
        description="Who made the events, above every figure; the analysis' `experiment` if empty.",
    )
    energy: Positive | None = Field(
        None,
        description="Centre-of-mass energy in TeV, above every figure; the analysis' `energy` if "
        "absent.",
    )
    licence: str = Field(description="Licence of the datasets.")
    record: str | int | None = Field(
        None, description="Record of the CERN Open Data portal for the set as a whole."
    )
    doi: str | None = Field(None, description="DOI of the set as a whole.")
    citation: str | None = Field(None, description="How to cite the set.")
    mirrors: list[Url] = Field(
        default_factory=list,
        description="Base URLs (http, https, root) of the files in the order in which they are "
        "tried; `remote.mirrors` replaces them.",
    )
    archive: str | None = Field(
        None,
        pattern=r"^[\w+-][\w.+-]*\.zip$",
        description="ZIP archive on the mirrors that holds the files (`remote.access: fetch`).",
    )
    pseudo_data: Cited | None = Field(
        None,
        description="Luminosity (fb⁻¹) of pseudo-data, for a catalogue without collision data: "
        "what the nominal simulation expects stands for them, and the key `data` is not used.",
    )
    datasets: dict[Name, Dataset] = Field(
        min_length=1, description="Every dataset that samples and systematics may name."
    )

    @model_validator(mode="after")
    def _one_kind_of_data(self) -> Catalogue:
        collisions = [name for name, item in self.datasets.items() if item.is_data]
        if self.pseudo_data is not None and collisions:
            raise ValueError(f"`pseudo_data`: dataset '{collisions[0]}' holds data (one of both)")
        return self

    @model_validator(mode="after")
    def _one_format(self) -> Catalogue:
        if (self.kind == "tables") > (self.table is not None):
            raise ValueError("a catalogue of kind tables needs `table`: how to read them")
        if self.table is not None and self.kind not in ("tables", "simulation"):
            raise ValueError(f"`table` is for kind tables or simulation, not {self.kind}")
        for name, dataset in self.datasets.items():
            for problem in _check_format(dataset, self.table):
                raise ValueError(f"`datasets.{name}`: {problem}")
        return self

    def dataset(self, name: str) -> Dataset:
        """Return a dataset.

        Raises
        ------
        TaipanError
            If there is none of that name; lists those there are.
        """
        if name not in self.datasets:
            raise TaipanError(
                f"'{name}' is not a dataset of catalogue '{self.name}' ({', '.join(self.datasets)})"
            )
        return self.datasets[name]


def _check_format(dataset: Dataset, table: TableFormat | None) -> Iterator[str]:
    """Yield what does not fit the way in which the files of a dataset are read."""
    weighted = table is not None and table.weight is not None
    if not dataset.is_data and dataset.cross_section is None and not weighted:
        yield "a simulated dataset needs `cross_section`"
    if not dataset.is_data and dataset.cross_section is not None and weighted:
        yield "`cross_section`: the weights of the table are expected events (leave it out)"
    if table is None:
        if dataset.label is not None or dataset.constants:
            yield "`label` and `constants` are for tables (`table` of the catalogue)"
        return
    if (dataset.label is None) != (table.label is None):
        yield "`label` of the dataset and `table.label` belong together (both or none)"
    unknown = sorted(set(dataset.constants) - set(table.columns))
    if unknown:
        yield f"`constants.{unknown[0]}` is not in `table.columns` ({', '.join(table.columns)})"
    other = [file for file in dataset.files if not file.endswith(TABLE_SUFFIXES)]
    if other:
        yield f"`files`: '{other[0]}' is no table ({', '.join(TABLE_SUFFIXES)})"


def total_luminosity(config: Config, catalogue: Catalogue) -> float:
    """Luminosity of the analysed data in fb⁻¹; a running period counts once.

    Raises
    ------
    TaipanError
        If a dataset of collision data has no luminosity.
    """
    if catalogue.pseudo_data is not None:
        return catalogue.pseudo_data.value
    if catalogue.kind == "simulation":
        return config.fastsim.luminosity
    total = 0.0
    periods = [catalogue.dataset(name).same_period or name for name in config.data]
    for name in dict.fromkeys(periods):
        luminosity = catalogue.dataset(name).luminosity
        if luminosity is None:
            raise TaipanError(f"datasets.{name}.luminosity is missing in '{catalogue.name}'")
        total += luminosity.value
    return total


def event_scale(dataset: Dataset, luminosity: float, sumw: float) -> float:
    """Factor that turns a generator weight into an expected number of events.

    Parameters
    ----------
    dataset
        Simulated dataset.
    luminosity
        Integrated luminosity in fb⁻¹.
    sumw
        Σ genWeight over the *unskimmed* sample.

    Returns
    -------
    float
        σ·B·ε·L / Σ genWeight.

    Raises
    ------
    TaipanError
        If Σ genWeight is not positive.
    """
    if not sumw > 0.0:
        raise TaipanError(f"Σ genWeight of the unskimmed sample is {sumw}; it must be positive")
    return dataset.effective_cross_section * luminosity * PB_PER_FB / sumw


def data_datasets(config: Config, catalogue: Catalogue) -> list[str]:
    """Name the datasets of collision data; none where pseudo-data stand for them."""
    return [] if catalogue.pseudo_data is not None else list(config.data)


def nominal_datasets(config: Config, catalogue: Catalogue) -> list[str]:
    """Name the collision data and the datasets of the samples, each once."""
    names = data_datasets(config, catalogue)
    for sample in config.samples.values():
        names += sample.datasets
    return list(dict.fromkeys(names))


def used_datasets(config: Config, catalogue: Catalogue) -> list[str]:
    """Name every dataset that is read: the nominal ones and the alternatives of systematics."""
    names = nominal_datasets(config, catalogue)
    for systematic in config.systematics.values():
        names += systematic.alternatives
    return list(dict.fromkeys(names))


def mirrors_of(config: Config, catalogue: Catalogue) -> list[str]:
    """Give the base URLs of the configuration or, if it has none, of the catalogue."""
    return list(config.remote.mirrors or catalogue.mirrors)


def source_folder(config: Config, catalogue: Catalogue) -> Path:
    """Folder that holds the catalogue's files.

    Raises
    ------
    TaipanError
        If the key that names it (`skims` or `files`) is not set.
    """
    if catalogue.kind == "simulation":
        return Path(config.results) / config.analysis / SIMULATED
    key = "skims" if catalogue.kind == "skims" else "files"
    folder: str | None = getattr(config, key)
    if folder is None:
        raise TaipanError(f"{key}: catalogue '{catalogue.name}' needs the folder of its files")
    return Path(folder)


def find_inode(path: Path) -> tuple[int, int]:
    """Tell a file from all others, whatever link or spelling of its path names it.

    Raises
    ------
    OSError
        If there is none.
    """
    status = path.stat()
    return status.st_dev, status.st_ino


@dataclass(frozen=True)
class ChunkPlan:
    """A part of a dataset that one skim job reads.

    Attributes
    ----------
    file
        File name within the source's folder.
    start, stop
        Range of entries; `stop` None means to the end of the file.
    """

    file: str
    start: int
    stop: int | None


def plan_chunks(dataset: Dataset, events: int | None, chunk_events: int) -> list[ChunkPlan]:
    """Divide a dataset into chunks of at most `chunk_events` entries.

    Parameters
    ----------
    dataset
        Its files, and how many entries each has.
    events
        Entries of a dataset of a single file whose `entries` are not given, if known.
    chunk_events
        Largest number of entries a chunk.

    Returns
    -------
    list of ChunkPlan
        Covers every entry once, in chunks of nearly equal size within a file. The last chunk of a
        file reaches to its end. A file whose entries are not known is one chunk.
    """
    entries: dict[str, int] = dict(dataset.entries)
    whole = len(dataset.files) == 1 and dataset.label is None  # else rows of others stand between
    if not entries and whole and events is not None:
        entries = {dataset.files[0]: events}
    plan = []
    for file in dataset.files:
        *ranges, (low, _) = divide(entries.get(file, 0), chunk_events)
        plan += [ChunkPlan(file, start, stop) for start, stop in ranges]
        plan.append(ChunkPlan(file, low, None))
    return plan


def count_generated(config: Config, catalogue: Catalogue, name: str) -> int | None:
    """Entries of an unskimmed dataset, None where only the file knows."""
    entry = catalogue.dataset(name)
    if catalogue.kind == "simulation" and not entry.is_data:
        return config.fastsim.events.get(name, entry.generated_events)
    return None if catalogue.kind == "skims" else entry.generated_events


def divide(entries: int, chunk_events: int) -> list[tuple[int, int]]:
    """Divide `entries` into ranges of nearly equal size, none above `chunk_events`."""
    number = max(1, -(-entries // chunk_events))
    edges = [entries * i // number for i in range(number + 1)]
    return list(itertools.pairwise(edges))
