"""Histograms of the members of generator weights: filled in one pass, combined to two templates.

The bin of an event is looked up once. It makes a sparse matrix of the nominal weights (cells of the
histograms times events), and its product with the weights of a member, as they were read, is the
histogram of that member. No copy of an event's columns is made for a weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import hist
import numpy as np
from numpy.typing import NDArray

from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.events.load import DatasetEvents
from taipan.events.selection import belongs_to
from taipan.events.variations import Variation, varied_regions
from taipan.labels import NOMINAL
from taipan.normalisation import Normalisation
from taipan.skim.weight_means import choose_generator
from taipan.systematics.members import GeneratorWeights, Members, select_generator
from taipan.templates.empty import FillSettings
from taipan.templates.rows import Located

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[np.float64]


def member_histogram(observable: str, branch: str, dataset: str) -> str:
    """Name of the histogram of the members of a dataset in its file."""
    return f"{observable}.{branch}.{dataset}"


class MemberHistograms:
    """Fills the members of the generator weights of a dataset, a block after the other.

    Parameters
    ----------
    events
        A block of the dataset: it tells the branches and the numbers of members.
    settings
        What is filled; its variations of generator weights say which samples are.
    """

    def __init__(self, events: DatasetEvents, settings: FillSettings) -> None:
        samples, regions = settings.samples, settings.regions
        observables = settings.observables
        self._dataset, self._definitions, self._observables = events.name, samples, observables
        self._places_of = {
            name: [r for r in varied_regions(regions, samples) if belongs_to(item, r, regions)]
            for name, item in samples.items()
        }
        self._filled_in = settings.places
        self._systematics = select_generator({v.name: v.systematic for v in settings.variations})
        self._regions = list(varied_regions(regions, samples))
        sizes = {name: len(item.binning) + 1 for name, item in observables.items()}
        starts = np.cumsum([0, *sizes.values()])
        self._places = dict(zip(sizes, starts, strict=False))
        self._bins = int(starts[-1])
        self._cells = len(self._regions) * self._bins
        self._samples = {branch: self._samples_of(branch) for branch in events.weight_lists}
        self._sums = {
            branch: np.zeros((len(lists), len(self._samples[branch]) * self._cells))
            for branch, lists in events.weight_lists.items()
        }

    def _samples_of(self, branch: str) -> list[str]:
        wanted = {
            sample
            for item in self._systematics.values()
            if item.branch == branch
            for sample in item.samples
        }
        return [
            name
            for name, sample in self._definitions.items()
            if name in wanted and self._dataset in sample.datasets
        ]

    def add(self, events: DatasetEvents, located: Located, weights: NDArray[Any]) -> None:
        """Add the events of a block.

        Parameters
        ----------
        events
            With their lists of weights.
        located
            Regions, samples and bins of the events.
        weights
            Nominal weights, shape (n,).

        Raises
        ------
        TaipanError
            If a block has another number of members than the first.
        """
        for branch, lists in events.weight_lists.items():
            sums = self._sums[branch]
            if len(lists) != len(sums):
                raise TaipanError(
                    f"dataset '{self._dataset}': {branch} has {len(lists)} weights in some "
                    f"events and {len(sums)} in others; every event must have the same number"
                )
            matrix = self._weigh_cells(self._samples[branch], located, weights)
            for i, member in enumerate(lists):
                sums[i] += matrix @ member  # in double precision, as the matrix

    def _weigh_cells(
        self, samples: Sequence[str], located: Located, weights: NDArray[Any]
    ) -> csr_array:
        """Give the nominal weight of each event in each cell that it fills, (cells, n)."""
        from scipy.sparse import csr_array

        cells, rows = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
        for i, sample in enumerate(samples):
            for region in self._places_of[sample]:
                chosen = np.flatnonzero(located.samples[sample] & located.regions[region])
                first = i * self._cells + self._regions.index(region) * self._bins
                for name, start in self._places.items():
                    if region in self._filled_in.get(name, (region,)):
                        cells.append(first + start + located.bins[name][chosen])
                        rows.append(chosen)
        events = np.concatenate(rows)
        return csr_array(
            (weights[events], (np.concatenate(cells), events)),
            shape=(len(samples) * self._cells, len(weights)),
        )

    def histograms(self) -> dict[str, hist.Hist]:
        """Give the histograms with axes (process, region, member, observable)."""
        out = {}
        for branch, flat in self._sums.items():
            shape = (len(flat), len(self._samples[branch]), len(self._regions), self._bins)
            sums = np.moveaxis(flat.reshape(shape), 0, 2)
            for name, observable in self._observables.items():
                found = hist.Hist(
                    hist.axis.StrCategory(self._samples[branch], name="process"),
                    hist.axis.StrCategory(self._regions, name="region"),
                    hist.axis.Integer(0, len(flat), flow=False, name="member"),
                    hist.axis.Variable(observable.binning, name=name, label=observable.label),
                    storage=hist.storage.Double(),
                )
                start = self._places[name]
                part = sums[..., start : start + len(observable.binning) + 1]
                found.view(flow=True)[: part.shape[0], : part.shape[1]] = part
                out[member_histogram(name, branch, self._dataset)] = found
        return out


def add_members(
    total: Mapping[str, hist.Hist],
    parts: Sequence[Mapping[str, hist.Hist]],
    config: Config,
    variations: Sequence[Variation],
    normalisations: Mapping[str, Normalisation],
) -> dict[str, hist.Hist]:
    """Fill the templates of the systematics of generator weights.

    The members of all datasets of a sample are added first; then they are combined in each bin.

    Parameters
    ----------
    total
        Observable → histogram with axes (process, region, variation, observable); not changed.
    parts
        What was filled for each dataset.
    config
        Sections `samples`, `regions` and `systematics`.
    variations
        Of the systematics; those of other kinds are left alone.
    normalisations
        Of the datasets, with the means of their weights.

    Raises
    ------
    TaipanError
        If a dataset was filled without its members, or a member has no positive yield where it
        is to keep that of a region.
    """
    systematics = select_generator(config.systematics)
    if not systematics:
        return dict(total)
    filled = {name: item for part in parts for name, item in part.items()}
    datasets = {name: sample.datasets for name, sample in config.samples.items()}
    means = {name: item.weight_means for name, item in normalisations.items()}
    chosen = choose_generator(systematics, datasets, means)
    out = {name: histogram.copy(deep=True) for name, histogram in total.items()}
    for observable, histogram in out.items():
        for name, item in systematics.items():
            sides = [v for v in variations if v.name in (f"{name}_up", f"{name}_down")]
            for sample, members in chosen[name].items():
                values = _add_datasets(
                    (observable, sample), item, members, datasets[sample], filled, normalisations
                )
                _put(histogram, (name, sample), item, members, values, sides)
    return out


def _add_datasets(
    place: tuple[str, str],
    item: GeneratorWeights,
    members: Members,
    datasets: Sequence[str],
    filled: Mapping[str, hist.Hist],
    normalisations: Mapping[str, Normalisation],
) -> dict[str, dict[int, Array]]:
    """Give region → member → yields of the bins, flow included, over the datasets of a sample."""
    observable, sample = place
    found: dict[str, dict[int, Array]] = {}
    for dataset in datasets:
        key = member_histogram(observable, item.branch, dataset)
        if key not in filled:
            raise TaipanError(f"{key}: the histograms of dataset '{dataset}' lack the members")
        view = filled[key].view(flow=True)
        row = list(filled[key].axes[0]).index(sample)
        means = normalisations[dataset].weight_means[item.branch].means
        for j, region in enumerate(filled[key].axes[1]):
            cells = found.setdefault(
                region, {member: np.zeros(view.shape[3]) for member in members.used}
            )
            for member in members.used:
                scale = means[member] if item.normalisation == "acceptance" and means else 1.0
                cells[member] = cells[member] + view[row, j, member] / scale
    return found


def _put(
    histogram: hist.Hist,
    place: tuple[str, str],
    item: GeneratorWeights,
    members: Members,
    values: Mapping[str, Mapping[int, Array]],
    sides: Sequence[Variation],
) -> None:
    """Combine the members of a sample, region by region, and write the two templates."""
    name, sample = place
    view = histogram.view(flow=True)
    processes, regions, labels = (list(histogram.axes[i]) for i in range(3))
    row, nominal = processes.index(sample), labels.index(NOMINAL)
    for region, cells in values.items():
        column = regions.index(region)
        expected = np.array(view["value"][row, column, nominal])
        variance = np.array(view["variance"][row, column, nominal])
        if item.normalisation == "shape":
            cells = _keep_yield(cells, expected, f"systematics.{name}, {sample}, {region}")
        both = item.combine_members(expected, cells, members)
        for side in sides:
            if not side.applies(sample, region):
                continue
            label, varied = labels.index(side.name), both[0 if side.sign > 0.0 else 1]
            ratio = np.divide(varied, expected, out=np.ones_like(varied), where=expected != 0.0)
            view["value"][row, column, label] = varied
            view["variance"][row, column, label] = variance * ratio**2


def _keep_yield(cells: Mapping[int, Array], expected: Array, where: str) -> dict[int, Array]:
    """Scale the members to the nominal yield of a region."""
    wanted = float(expected.sum())
    out = {}
    for member, values in cells.items():
        found = float(values.sum())
        if wanted != 0.0 and not found * wanted > 0.0:
            raise TaipanError(
                f"{where}: the yield of member {member} is {found:.6g}, that of the nominal weight "
                f"{wanted:.6g}; it cannot keep it (normalisation: acceptance or full)"
            )
        out[member] = values * (wanted / found if wanted else 1.0)
    return out
