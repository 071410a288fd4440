"""Keys of the pile-up correction: `pileup`."""

from __future__ import annotations

from pydantic import Field

from taipan.config.base import Fraction, Positive, Strict


class Pileup(Strict):
    """Correction of the simulated number of primary vertices to the one seen in data."""

    enabled: bool = Field(True, description="Apply the correction to the nominal weights.")
    max_weight: Positive = Field(3.0, description="Largest weight given to an event.")
    uncertainty: Fraction | None = Field(
        None,
        description="Relative uncertainty of the mean number of interactions in data: a systematic "
        "of the weight `pileup` stretches the vertices of data by so much at +1σ. Without it, the "
        "correction on against off.",
    )
