"""Weights of the generator: many members an event, which make one systematic together.

A file of simulation has a list of weights an event: other scales, other parton densities, another
shower. Each member fills a histogram; what is said here is which members a systematic uses, and
how their histograms become two templates.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from taipan.errors import TaipanError
from taipan.systematics.base import Smoothed, Systematic, Target

if TYPE_CHECKING:
    from taipan.config.model import Config

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Members:
    """Which members of a branch a systematic uses.

    Attributes
    ----------
    method
        How they are put together, a word of the systematic's kind.
    varied
        Places of the members that are varied.
    central
        Place of the member that they are compared with; None: the nominal weight.
    alpha_s
        Places of the members with the lower and the higher α_s, if they are used.
    alpha_s_scale
        ±1σ of α_s over half the difference of the two.
    """

    method: str
    varied: tuple[int, ...]
    central: int | None = None
    alpha_s: tuple[int, int] | None = None
    alpha_s_scale: float = 1.0

    @property
    def used(self) -> tuple[int, ...]:
        """All places, each once, ascending."""
        central = () if self.central is None else (self.central,)
        return tuple(sorted({*self.varied, *central, *(self.alpha_s or ())}))


class GeneratorWeights(Smoothed, ABC):
    """A systematic of a list of weights that the generator gave to each event."""

    group: Literal["experimental", "theory", "normalisation"] = Field(
        "theory", description="Group in the uncertainty breakdown."
    )
    normalisation: Literal["acceptance", "full", "shape"] = Field(
        "acceptance",
        description="`acceptance`: each member keeps the yield before any cut, so that cross "
        "sections stay and the acceptance changes; `full`: cross sections change, too; `shape`: "
        "each member keeps the yield of each region.",
    )

    branch: ClassVar[str]
    """Branch of NanoAOD with the weights."""
    directions: ClassVar[tuple[str, ...]] = ("up", "down")
    has_members: ClassVar[bool] = True
    acts_on_bins: ClassVar[bool] = True

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Refuse what has no generator weights: flat ntuples, and copies that must be found."""
        catalogue = target.catalogue
        if catalogue.kind == "skims":
            yield (
                f"{path}.kind: '{self.kind}' needs the branch {self.branch}, and catalogue "
                f"'{catalogue.name}' of kind skims has flat ntuples without it (simulation, "
                "nanoaod)"
            )
        if target.config.skim.duplicates != "fail":
            yield (
                f"skim.duplicates: '{target.config.skim.duplicates}' does not keep the sums of "
                f"{self.branch}, which {path} needs (fail)"
            )

    @abstractmethod
    def choose_members(self, title: str, count: int) -> Members:
        """Say which members are used, of a branch with a title and `count` weights an event.

        Raises
        ------
        TaipanError
            If neither the title nor the number nor the keys tell; without the file's name.
        """

    @abstractmethod
    def combine_members(
        self, nominal: Array, values: Mapping[int, Array], members: Members
    ) -> tuple[Array, Array]:
        """Make the templates at +1σ and -1σ of those of the members.

        Parameters
        ----------
        nominal
            Yields of the bins, shape (n,).
        values
            Place of a member → yields of the bins with its weight, shape (n,).
        members
            Of :meth:`choose_members`.
        """


def select_generator(systematics: Mapping[str, Systematic]) -> dict[str, GeneratorWeights]:
    """Give the systematics of generator weights among others, in their order."""
    return {name: item for name, item in systematics.items() if isinstance(item, GeneratorWeights)}


def generator_branches(config: Config, dataset: str) -> list[str]:
    """Name the branches of generator weights that systematics need of a dataset.

    Parameters
    ----------
    config
        Sections `samples` and `systematics`.
    dataset
        Simulated dataset.
    """
    return sorted(
        {
            item.branch
            for item in select_generator(config.systematics).values()
            if any(
                dataset in config.samples[sample].datasets
                for sample in item.samples
                if sample in config.samples
            )
        }
    )


def check_places(path: str, places: Mapping[str, tuple[int, ...] | list[int]], count: int) -> None:
    """Refuse places of members beyond the last, and the same place twice in a list.

    Raises
    ------
    TaipanError
        Naming the key.
    """
    for key, given in places.items():
        beyond = [place for place in given if not 0 <= place < count]
        if beyond:
            raise TaipanError(f"{key}: {beyond[0]} is no member of {count} (0 to {count - 1})")
        if len(set(given)) < len(given):
            raise TaipanError(f"{key}: {list(given)} names a member of {path} twice")


def read_title(title: str) -> dict[int, str]:
    """Give the text of each member of a title such as ``weights; [0] is muR=1 muF=2; [1] is …``."""
    parts = re.split(r"\[(\d+)\] is ", title)
    return {int(place): text for place, text in zip(parts[1::2], parts[2::2], strict=True)}


def read_factor(names: str, text: str) -> float | None:
    """Give the number that follows one of `names` (``a|b``) in a member's text, if it is there.

    Numbers of FORTRAN (``0.5d0``) and in quotes are read, too.
    """
    found = re.search(
        rf"(?:{names})\s*=\s*[\"']?([0-9.]+(?:[deDE][+-]?[0-9]+)?)", text, re.IGNORECASE
    )
    return None if found is None else float(found[1].lower().replace("d", "e"))


def find_pair(
    variations: Mapping[tuple[float, float], int], which: tuple[float, float]
) -> tuple[int, int]:
    """Give the members whose scales are doubled and halved, of (factor, factor) → place.

    Raises
    ------
    TaipanError
        If one is not there.
    """
    found = []
    for power in (1, -1):
        wanted = (which[0] ** power, which[1] ** power)
        if wanted not in variations:
            raise TaipanError(f"no member has the factors {wanted[0]:g} and {wanted[1]:g}")
        found.append(variations[wanted])
    return found[0], found[1]
