"""The uncertainty of a correction of the nominal, around the corrected nominal.

The section `corrections` makes these kinds when a configuration is loaded; nobody writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import Field

from taipan.config.base import Name
from taipan.errors import TaipanError
from taipan.suggestions import unknown
from taipan.systematics.base import Correction, Smoothed, Target, WeighedEvents

if TYPE_CHECKING:
    from taipan.analysis import Analysis, Columns

Array = NDArray[Any]


class _OfCorrection(Smoothed):
    """What both have."""

    correction: Name = Field(description="Name of the correction in the section `corrections`.")
    mirrored: bool = Field(False, description="Whether the correction has `up` alone.")

    directions: ClassVar[tuple[str, ...]] = ("up", "down")
    acts_on_events: ClassVar[bool] = True
    made_of_correction: ClassVar[bool] = True

    @property
    def varied(self) -> tuple[str, ...]:
        """Both directions, or the first."""
        return self.directions[:1] if self.mirrored else self.directions

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Refuse a correction that does not exist."""
        if self.correction not in target.config.corrections:
            known = target.config.corrections
            yield unknown(f"{path}.correction", self.correction, "correction", known)


class CorrectedWeight(_OfCorrection):
    """A correction of weights at ±1σ instead of its nominal value."""

    kind: Literal["corrected_weight"] = Field(
        description="Made of `corrections.NAME` with `up`: another factor on the weight."
    )

    @property
    def corrects(self) -> str:
        """The key `correction`."""
        return self.correction

    def weigh_events(
        self,
        name: str,
        events: WeighedEvents,
        corrections: Mapping[str, Correction],
        pull: float = 1.0,
    ) -> Array:
        """Give the weights with the correction at `pull` σ.

        Raises
        ------
        TaipanError
            If the events were read without corrections.
        """
        if events.vary is None:
            raise TaipanError(f"{name}: '{events.dataset}' has no correction '{self.correction}'")
        return events.vary(self.correction, pull)


class CorrectedObjects(_OfCorrection):
    """A correction of energies at ±1σ instead of its nominal value, with migration across cuts."""

    kind: Literal["corrected_objects"] = Field(
        description="Made of `corrections.NAME` with an uncertainty: other energies of objects, "
        "with migration across cuts."
    )

    moves_events: ClassVar[bool] = True

    def shift_columns(self, columns: Columns, analysis: Analysis, pull: float) -> Columns:
        """Move the correction by `pull` σ.

        Raises
        ------
        TaipanError
            If the events were read without corrections.
        """
        if analysis.corrections is None:
            raise TaipanError(f"analysis '{analysis.name}' has no correction '{self.correction}'")
        return analysis.corrections.shift(self.correction, columns, pull)
