"""The dataset catalogue: files, events, cross sections, luminosity, and what they normalise to."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from taipan.config.base import Name, Strict, Url
from taipan.config.model import Config, Skim
from taipan.errors import TaipanError

PB_PER_FB = 1000.0
_FILE_NAME = re.compile(r"([\w+-][\w.+-]*/)*[\w+-][\w.+-]*", re.ASCII)  # no part begins with a dot
Adler32 = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]


class Cited(Strict):
    """A number with its unit and source."""

    value: Annotated[float, Field(gt=0)]
    unit: str = ""
    source: str = Field(min_length=3)


class Dataset(Strict):
    """One dataset of a catalogue.

    Attributes
    ----------
    files
        File names, relative to the folder of the source.
    is_data
        True for collision data.
    luminosity
        Integrated luminosity (data; absent in fastsim, where the configuration sets it).
    cross_section
        Inclusive cross section in pb.
    branching_ratio
        Fraction of the cross section that this final state has.
    filter_efficiency
        Fraction of generated events that a generator filter kept.
    generated_events
        Events in the unskimmed sample.
    sumw
        Σ genWeight of the unskimmed sample; absent where every weight is 1.
    entries
        File → events in it; needed to divide a dataset of several files, and where a single file
        holds fewer than the unskimmed sample.
    record, doi, licence
        Origin of the files.
    sizes
        File → bytes; one that is not listed is not compared.
    adler32, sha256
        File → checksum in hexadecimal digits, as the origin states it (the CERN Open Data portal
        gives Adler-32); the content of a file without one is not verified.
    """

    files: list[str] = Field(min_length=1)
    is_data: bool
    luminosity: Cited | None = None
    cross_section: Cited | None = None
    branching_ratio: Cited | None = None
    filter_efficiency: Cited | None = None
    generated_events: Annotated[int, Field(gt=0)] | None = None
    sumw: float | None = None
    entries: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    record: str | int | None = None
    doi: str | None = None
    licence: str | None = None
    sizes: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    adler32: dict[str, Adler32] = Field(default_factory=dict)
    sha256: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _normalisable(self) -> Dataset:
        for file in self.files:
            if not _FILE_NAME.fullmatch(file):
                raise ValueError(f"`files`: '{file}' is not a path below the folder of the source")
        for key in ("sizes", "adler32", "sha256"):
            other = sorted(set(getattr(self, key)) - set(self.files))
            if other:
                raise ValueError(f"`{key}` names {other[0]}, which is not in `files`")
        if not self.is_data and self.cross_section is None:
            raise ValueError("a simulated dataset needs `cross_section`")
        if self.is_data and self.cross_section is not None:
            raise ValueError("a dataset of collision data takes no `cross_section`")
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
    """A file of ``config/datasets``.

    Attributes
    ----------
    kind
        ``fastsim``: made on the spot; ``skims``: flat, already skimmed ntuples; ``nanoaod``:
        reduced-NanoAOD files.
    mirrors
        Base URLs of the files in the order in which they are tried (`remote.mirrors` replaces
        them).
    """

    name: str
    kind: Literal["fastsim", "skims", "nanoaod"]
    description: str
    licence: str
    record: str | int | None = None
    doi: str | None = None
    citation: str | None = None
    mirrors: list[Url] = Field(default_factory=list)
    datasets: dict[Name, Dataset] = Field(min_length=1)

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


def total_luminosity(config: Config, catalogue: Catalogue) -> float:
    """Luminosity of the analysed collision data in fb⁻¹.

    Raises
    ------
    TaipanError
        If a dataset of collision data has no luminosity.
    """
    if catalogue.kind == "fastsim":
        return config.fastsim.luminosity
    total = 0.0
    for name in config.data:
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


def nominal_datasets(config: Config) -> list[str]:
    """Name the collision data and the datasets of the samples, each once."""
    names = list(config.data)
    for sample in config.samples.values():
        names += sample.datasets
    return list(dict.fromkeys(names))


def used_datasets(config: Config) -> list[str]:
    """Name every dataset that is read: the nominal ones and the alternatives of systematics."""
    names = nominal_datasets(config)
    for systematic in config.systematics.values():
        names += systematic.datasets or []
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
    if catalogue.kind == "fastsim":
        return Path(config.results) / "fastsim"
    key = "skims" if catalogue.kind == "skims" else "files"
    folder: str | None = getattr(config, key)
    if folder is None:
        raise TaipanError(f"{key}: catalogue '{catalogue.name}' needs the folder of its files")
    return Path(folder)


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


def chunk_size(skim: Skim) -> int:
    """Largest number of events of a skim job: given, or from the target time and the speed."""
    if skim.chunk_events is not None:
        return skim.chunk_events
    return max(1, round(skim.chunk_minutes * 60.0 * skim.events_per_second))


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
    if not entries and len(dataset.files) == 1 and events is not None:
        entries = {dataset.files[0]: events}
    plan = []
    for file in dataset.files:
        *ranges, (low, _) = divide(entries.get(file, 0), chunk_events)
        plan += [ChunkPlan(file, start, stop) for start, stop in ranges]
        plan.append(ChunkPlan(file, low, None))
    return plan


def divide(entries: int, chunk_events: int) -> list[tuple[int, int]]:
    """Divide `entries` into ranges of nearly equal size, none above `chunk_events`."""
    number = max(1, -(-entries // chunk_events))
    edges = [entries * i // number for i in range(number + 1)]
    return list(itertools.pairwise(edges))
