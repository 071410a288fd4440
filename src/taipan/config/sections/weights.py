"""Keys of alternative weights of events: `weights`."""

from __future__ import annotations

from pydantic import Field, model_validator

from taipan.config.base import Bounded, Name, Place, Strict


class Measurement(Strict):
    """A weight measured in data: how a ratio depends on a quantity, 1 on average."""

    sample: Name = Field(
        description="What the ratio is of. Simulated: data minus the other simulation over this "
        "sample. Estimated from data: data minus simulation in `region` over the same in "
        "`denominator`."
    )
    region: Name = Field(description="Region in which it is measured.")
    denominator: Name | None = Field(
        None, description="Region that the ratio is over (samples estimated from data only)."
    )
    quantity: Name = Field(description="Quantity that the ratio depends on.")
    binning: list[Bounded] = Field(
        min_length=3, description="Bin edges, strictly increasing; the edge bins hold for beyond."
    )


class Weight(Strict):
    """An alternative weight of events: from a correctionlib file, or measured in data."""

    file: Place | None = Field(
        None, description="correctionlib JSON file (schema 2, may be compressed with gzip)."
    )
    correction: str | None = Field(
        None, description="Name of the correction in `file`; that of the weight if absent."
    )
    inputs: dict[str, str] = Field(
        default_factory=dict,
        description="Input of the correction → quantity of the analysis, or a text or number in "
        "quotes (`'up'`); inputs that are left out have the quantity's name.",
    )
    measure: Measurement | None = Field(
        None, description="Measure the weight in data instead of reading a file."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Weight:
        if (self.file is None) == (self.measure is None):
            raise ValueError("a weight has either `file` or `measure`")
        if self.measure is not None and (self.correction or self.inputs):
            raise ValueError("`correction` and `inputs` belong to `file`, not to `measure`")
        return self
