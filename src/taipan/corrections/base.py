"""What a correction of the nominal simulation is to the rest of the project.

A kind is a class in a file of this folder: its keys, the files that it reads, and the factor that
it gives events, or the energies of objects. Reading events applies all of them; each with `up` is a
systematic uncertainty around the corrected nominal, too. No other module knows a kind by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from taipan.columns.shifts import Columns
from taipan.columns.stored import StoredObjects
from taipan.config.base import Place, Strict
from taipan.corrections.lookup import Evaluated, OutOfRange
from taipan.corrections.view import EventView
from taipan.errors import TaipanError
from taipan.suggestions import unknown
from taipan.systematics.base import Smoothing

if TYPE_CHECKING:
    from taipan.config.model import Config

Array = NDArray[Any]
Side = Literal["apply", "up", "down"]
"""Which of its values a correction gives: the nominal one, or that at ±1σ."""
Decorrelated = Literal["sample", "samples", "region", "regions", "shape"]
PATH_KEYS = ("file", "data_profile", "simulation_profile")
"""Keys of corrections, and of sections in them, that hold paths of files."""
AS_READ = " as read"
"""Ending of the columns that hold what was stored, where objects are corrected."""


@dataclass(frozen=True)
class InputNames:
    """What inputs may be made of.

    Attributes
    ----------
    quantities
        Of the analysis.
    stored
        How objects are selected; None where nobody said.
    """

    quantities: Mapping[str, Any]
    stored: StoredObjects | None

    def fields(self, key: str, collection: str) -> tuple[str, ...]:
        """List the names that an expression for objects may use: fields, then quantities.

        Raises
        ------
        TaipanError
            If there is no such collection; names `key`.
        """
        selectors = {} if self.stored is None else self.stored.selectors
        if self.stored is None or collection not in selectors:
            raise TaipanError(unknown(key, collection, "collection of the selection", selectors))
        return (*self.stored.fields(collection), *self.quantities)


class OpenedWeight(ABC):
    """A correction of weights with its files read.

    Attributes
    ----------
    objects
        Collection that it is multiplied over; None if it looks at quantities of the event alone.
    uses
        Names that its inputs are made of: quantities, and fields of objects.
    """

    objects: str | None
    uses: frozenset[str]

    @abstractmethod
    def evaluate(self, view: EventView, side: Side) -> Evaluated:
        """Give the factor of each event that passes."""


class OpenedEnergy(ABC):
    """A correction of the energies of objects with its files read.

    Attributes
    ----------
    collection
        Whose objects it corrects.
    """

    collection: str

    @abstractmethod
    def change(self, columns: Columns, side: Side, *, is_data: bool) -> Evaluated:
        """Give the factor on the momentum of each stored object, shape (n, objects)."""


class NominalCorrection(Strict, ABC):
    """A correction of the nominal simulation; `up` and `down` are its uncertainty."""

    kind: str
    samples: list[str] | None = Field(
        None, description="Samples that are corrected; all simulated ones if absent."
    )
    regions: list[str] | None = Field(
        None, description="Regions in which events are corrected; all if absent."
    )
    decorrelate: list[Decorrelated] | Decorrelated = Field(
        default_factory=list,
        description="What gets parameters of its own: each sample, each region, or shape and rate.",
    )
    out_of_range: OutOfRange = Field(
        "error",
        description="What is done with a value outside the bins: an error, the nearest bin "
        "(`clamp`), or what the file gives (`flow`). Both are counted.",
    )
    group: Literal["experimental", "theory", "normalisation"] = Field(
        "experimental", description="Group in the uncertainty breakdown."
    )
    smooth: Smoothing = Field("none", description="As of a systematic.")
    prune: bool = Field(True, description="As of a systematic.")
    source: str = Field("", description="Where the correction comes from.")

    of_objects: ClassVar[bool] = False
    """Whether it corrects energies of objects; else weights of events."""

    @property
    def sides(self) -> tuple[str, ...]:
        """Directions of its uncertainty: `up`, `down`, the first alone, or none."""
        return tuple(key for key in ("up", "down") if getattr(self, key, None) is not None)

    @property
    def files(self) -> Mapping[str, str]:
        """Key → file that it reads."""
        return {}

    @property
    def paths(self) -> list[str]:
        """Files that it reads, on disk."""
        return [
            f"{path.partition('.root:')[0]}.root" if ".root:" in path else path
            for path in self.files.values()
        ]

    def without_uncertainty(self) -> NominalCorrection | None:
        """Give what acts on the nominal alone; None if nothing does."""
        return self

    @abstractmethod
    def open(self, key: str, known: InputNames) -> OpenedWeight | OpenedEnergy:
        """Read its files and bind its inputs.

        Parameters
        ----------
        key
            Its key: ``corrections.NAME``.
        known
            What inputs may be made of.

        Raises
        ------
        TaipanError
            If a file cannot be read, or lacks what is asked for; one line that names the key.
        """

    def check(self, key: str, config: Config) -> Iterator[str]:
        """Yield one line a problem that its keys have with those of other sections."""
        yield from ()

    @model_validator(mode="after")
    def _two_sides(self) -> NominalCorrection:
        if getattr(self, "down", None) is not None and getattr(self, "up", None) is None:
            raise ValueError("`down` is the other side of `up`, which is missing")
        return self


class FromFile(NominalCorrection, ABC):
    """A correction that a correctionlib file has."""

    file: Place = Field(
        description="correctionlib JSON file (schema 2, may be compressed with gzip)."
    )
    inputs: dict[str, str | float] = Field(
        default_factory=dict,
        description="Input of the correction → expression of quantities (of objects: of their "
        "fields and quantities), a number, or a text of an input of type string. Inputs of numbers "
        "that are left out have the quantity's name.",
    )
    apply: str = Field(
        "nominal",
        description="Text of the input of type string that `inputs` leaves out: the nominal value.",
    )
    up: str | None = Field(
        None,
        description="The same at +1σ; where no input is left out, the name of another correction.",
    )
    down: str | None = Field(None, description="The same at −1σ; without it, `up` is mirrored.")

    @property
    def files(self) -> Mapping[str, str]:
        """The key `file`."""
        return {"file": self.file}

    def without_uncertainty(self) -> NominalCorrection | None:
        """Leave `up` and `down` out."""
        return self.model_copy(update={"up": None, "down": None})


def unchanged(number: int) -> Evaluated:
    """Give factors of 1."""
    none = np.zeros(number, dtype=bool)
    return Evaluated(np.ones(number), none, none)
