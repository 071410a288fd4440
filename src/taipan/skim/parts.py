"""Parts of a dataset: which entries were read, and what the generator made before any skim.

Each skim job records the part that it read. Together the parts of a dataset must cover every
entry of every file exactly once; the sums of generator weights come from the `Runs` tree of full
NanoAOD where there is one and from the events themselves where not.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from taipan.errors import TaipanError
from taipan.labels import SUMS_BRANCHES
from taipan.skim.generator_weights import WeightSpread, refuse_absurd, typical_weight
from taipan.skim.weight_lists import WeightSums, read_list_sums

logger = logging.getLogger(__name__)

RUNS = "Runs"
AGREEMENT = 1e-6
"""Relative agreement of two sums of the same weights."""
_SUM_BRANCHES = (
    ("genEventCount", "genEventSumw", "genEventSumw2"),
    ("genEventCount_", "genEventSumw_", "genEventSumw2_"),  # NanoAODv6
)


@dataclass(frozen=True)
class GeneratedSums:
    """What was generated: number of events, Σ genWeight and Σ genWeight²."""

    events: int
    sumw: float
    sumw2: float

    def __add__(self, other: GeneratedSums) -> GeneratedSums:
        """Add the sums of disjoint samples."""
        return GeneratedSums(
            self.events + other.events, self.sumw + other.sumw, self.sumw2 + other.sumw2
        )

    def __sub__(self, other: GeneratedSums) -> GeneratedSums:
        """Take a part of the sample out."""
        return GeneratedSums(
            self.events - other.events, self.sumw - other.sumw, self.sumw2 - other.sumw2
        )


@dataclass(frozen=True)
class Part:
    """A range of entries of a file.

    Attributes
    ----------
    file
        Name of the file in its catalogue.
    start, stop
        Entries read: `start` up to, not including, `stop`. Of a part that was left out `stop` may
        be None: to the end of the file.
    entries
        Entries of the whole file; None in a part that was left out because the file is damaged.
    read
        Events read and the sums of their generator weights.
    generated
        Sums of the file's `Runs` tree, None where it has none.
    branches
        Branch of the analysis that has alternatives → meaning of the one used, or its own name.
    weighted
        Whether the events have a genWeight; if not, each counts 1.
    weights
        How the genWeight of the events spread.
    lists
        Branch with a list of generator weights → its sums, for the branches that were kept.
    """

    file: str
    start: int
    stop: int | None
    entries: int | None
    read: GeneratedSums
    generated: GeneratedSums | None = None
    branches: Mapping[str, str] = field(default_factory=dict)
    weighted: bool = False
    weights: WeightSpread = field(default_factory=WeightSpread)
    lists: Mapping[str, WeightSums] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        content = asdict(self)
        return content if self.lists else {k: v for k, v in content.items() if k != "lists"}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Part:
        """Rebuild from :meth:`to_dict`."""
        sums = {
            key: GeneratedSums(**content[key]) if content[key] is not None else None
            for key in ("read", "generated")
        }
        spread = WeightSpread(**content.get("weights", {}))
        lists = {key: _sums_of(item) for key, item in content.get("lists", {}).items()}
        return cls(**{**content, **sums, "weights": spread, "lists": lists})


def _sums_of(content: Mapping[str, Any]) -> WeightSums:
    generated = content["generated"]
    return WeightSums(
        content["title"], tuple(content["read"]), None if generated is None else tuple(generated)
    )


def skipped_part(file: str, start: int, stop: int | None) -> Part:
    """Describe entries that were left out because their file is damaged."""
    return Part(file, start, stop, None, GeneratedSums(0, 0.0, 0.0))


def read_generated(directory: Any, where: object) -> GeneratedSums | None:
    """Read the sums over all generated events from a file's `Runs` tree.

    Parameters
    ----------
    directory
        Opened ROOT file.
    where
        Its name, for messages.

    Returns
    -------
    GeneratedSums or None
        None if there is no such tree or it has no sums, as for collision data.

    Raises
    ------
    TaipanError
        If the sums cannot be read or are not finite.
    """
    if RUNS not in directory:
        return None
    runs = directory[RUNS]
    present = set(runs.keys())
    for names in _SUM_BRANCHES:
        if present.issuperset(names):
            break
    else:
        return None
    try:
        columns = [np.asarray(runs[name].array(library="np")) for name in names]
    except Exception as error:  # a damaged basket fails in uproot, NumPy or a codec
        raise TaipanError(f"{where}: tree '{RUNS}' cannot be read: {error}") from error
    events, sumw, sumw2 = (column.sum() for column in columns)
    if not np.isfinite([sumw, sumw2]).all():
        raise TaipanError(f"{where}: tree '{RUNS}': {names[1]} is NaN or infinite")
    return GeneratedSums(int(events), float(sumw), float(sumw2))


def read_generated_lists(
    directory: Any, counts: Mapping[str, int], where: object
) -> dict[str, tuple[float, ...] | None]:
    """Read the sums of lists of weights over all generated events from a file's `Runs` tree.

    Parameters
    ----------
    directory
        Opened ROOT file.
    counts
        Branch → number of weights of an event.
    where
        Its name, for messages.

    Returns
    -------
    dict
        Branch → Σ genWeight · weight of each member, None where the tree lacks it.

    Raises
    ------
    TaipanError
        If the sums cannot be read or understood.
    """
    if RUNS not in directory:
        return dict.fromkeys(counts)
    runs = directory[RUNS]
    present = set(runs.keys())
    sumw = next((names[1] for names in _SUM_BRANCHES if names[1] in present), None)
    if sumw is None:
        return dict.fromkeys(counts)
    scales = SUMS_BRANCHES["LHEScaleWeight"]
    return {
        branch: read_list_sums(runs, (SUMS_BRANCHES[branch], scales), sumw, count, where)
        for branch, count in counts.items()
    }


def check_every_entry(
    dataset: str, parts: Sequence[Part], entries: Mapping[str, int] | None = None
) -> None:
    """Check that the parts hold every entry of every file exactly once.

    Parameters
    ----------
    dataset
        Name, for messages.
    parts
        What was read.
    entries
        File → entries as the catalogue states them, where it does.

    Raises
    ------
    TaipanError
        If entries are missing or were read twice, or two parts disagree about their file or it
        with the catalogue; names dataset, file and entries.
    """
    for name, group in _by_file(parts).items():
        where = f"dataset '{dataset}': {name}"
        readable = [part for part in group if part.entries is not None]
        if not readable:
            continue  # nothing is known of a file that was left out as a whole
        totals = sorted({int(part.entries or 0) for part in readable})
        if len(totals) > 1 or len({part.generated for part in readable}) > 1:
            raise TaipanError(
                f"{where} changed between two skim jobs ({totals} entries); run them again"
            )
        stated = (entries or {}).get(name, totals[0])
        if stated != totals[0]:
            raise TaipanError(f"{where} has {totals[0]} entries, the catalogue states {stated}")
        edges = [0, *itertools.chain(*(_bounds(part, totals[0]) for part in group)), totals[0]]
        for stop, start in zip(edges[::2], edges[1::2], strict=True):
            if start != stop:
                what = "were not read" if start > stop else "were read twice"
                raise TaipanError(
                    f"{where}: entries {min(start, stop)} to {max(start, stop)} {what}"
                )


def _bounds(part: Part, entries: int) -> tuple[int, int]:
    return part.start, entries if part.stop is None else part.stop


def _by_file(parts: Iterable[Part]) -> dict[str, list[Part]]:
    files: dict[str, list[Part]] = {}
    for part in sorted(parts, key=lambda part: (part.file, part.start, part.stop or 0)):
        files.setdefault(part.file, []).append(part)
    return files


def check_generator_weights(dataset: str, parts: Sequence[Part]) -> None:
    """Check the generator weights of a dataset: not all zero, none far above the others.

    Parameters
    ----------
    dataset
        Name, for messages.
    parts
        What was read.

    Raises
    ------
    TaipanError
        If every genWeight is zero or one is absurd; names dataset, file and entry.
    """
    weighted = [part for part in parts if part.weighted]
    events = sum(part.read.events for part in weighted)
    if events and not any(part.read.sumw2 for part in weighted):
        names = ", ".join(_by_file(weighted))
        raise TaipanError(
            f"dataset '{dataset}': genWeight is zero in all {events} events of {names}; mend the "
            "files, or take them out of the list"
        )
    median = typical_weight(part.weights for part in weighted)
    for part in weighted:
        refuse_absurd(f"dataset '{dataset}': {part.file}", part.weights, median)


def sum_generated(
    dataset: str,
    parts: Sequence[Part],
    duplicates: Mapping[str, GeneratedSums] | None = None,
) -> GeneratedSums:
    """Add up what was generated, file by file: from `Runs` where there is one, else as read.

    A file with fewer events than `Runs` counts was skimmed before: its `Runs` sums normalise it.

    Parameters
    ----------
    dataset
        Name, for messages.
    parts
        Cover the dataset once (:func:`check_every_entry`).
    duplicates
        File → events of it that occur before and are left out.

    Raises
    ------
    TaipanError
        If a file has more events than `Runs` counts, or as many with another sum of weights; if
        events are left out of a file that was skimmed before, whose `Runs` may count them or not.
    """
    total = GeneratedSums(0, 0.0, 0.0)
    for name, group in _by_file(part for part in parts if part.entries is not None).items():
        read = sum((part.read for part in group), GeneratedSums(0, 0.0, 0.0))
        generated = group[0].generated
        repeated = (duplicates or {}).get(name)
        once = read if repeated is None else read - repeated
        if generated is None or (repeated is not None and once.events == 0):
            total = total + once  # of a mere copy of other files nothing is left
            continue
        generated = _share(group, generated)
        where = f"dataset '{dataset}': {name}"
        if repeated is None:
            _compare(where, read, generated)
            total = total + generated
            continue
        # `Runs` counts every event of the file, those that occur before among them or not
        if generated.events not in (read.events, once.events):
            raise TaipanError(
                f"{where}: {repeated.events} of its {read.events} events occur before, and {RUNS} "
                f"counts {generated.events}: what was generated is not known without them; "
                "make the file again"
            )
        _compare(where, read if generated.events == read.events else once, generated)
        total = total + once
    return total


def _share(group: Sequence[Part], generated: GeneratedSums) -> GeneratedSums:
    """Lower the sums of a file by the share of its entries that was left out, if any was."""
    entries = int(group[0].entries or 0)
    left = entries - sum(part.read.events for part in group)
    if left == 0:
        return generated
    share = 1.0 - left / entries
    return GeneratedSums(
        round(generated.events * share), generated.sumw * share, generated.sumw2 * share
    )


def _compare(where: str, read: GeneratedSums, generated: GeneratedSums) -> None:
    if read.events > generated.events:
        raise TaipanError(f"{where}: {read.events} events, but {RUNS} counts {generated.events}")
    if read.events < generated.events:
        logger.info(
            "%s holds %d of %d generated events; normalised to %s",
            where,
            read.events,
            generated.events,
            RUNS,
        )
        return
    # signed weights cancel in Σw: the scale of the rounding errors is √(N·Σw²) ≥ Σ|w|
    scale = np.sqrt(generated.events * generated.sumw2)
    if abs(read.sumw - generated.sumw) > AGREEMENT * scale:
        raise TaipanError(
            f"{where}: Σ genWeight of the events is {read.sumw:.9g}, {RUNS} has "
            f"{generated.sumw:.9g}"
        )


def check_branches(parts: Mapping[str, Sequence[Part]]) -> None:
    """Check that every branch means the same in all datasets.

    Parameters
    ----------
    parts
        Dataset → its parts.

    Raises
    ------
    TaipanError
        If a branch stands for different quantities in two datasets; names both.
    """
    seen: dict[str, tuple[str, str]] = {}
    for dataset, group in parts.items():
        for part in group:
            for name, meaning in part.branches.items():
                before, other = seen.setdefault(name, (meaning, dataset))
                if before != meaning:
                    raise TaipanError(
                        f"{name} is '{before}' in dataset '{other}' but '{meaning}' in "
                        f"'{dataset}': they cannot be analysed together"
                    )
