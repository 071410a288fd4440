"""Keys of the gate on the weights of the training: `weight_check`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import Positive, Strict


class WeightCheck(Strict):
    """Gate on the weights of the training."""

    max_chi2_per_ndf: Positive = Field(
        1.5,
        description="Largest χ²/ndf between a feature's distribution with transformed and with "
        "original weights, per sample.",
    )
    min_probability: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        1e-3,
        description="χ²/ndf counts only if its probability, times the number of features, is "
        "below this.",
    )
    max_sumw_change: Positive = Field(
        1e-6, description="Largest relative change of a sample's Σw by the transformation."
    )
    on_failure: Literal["stop", "warn"] = Field(
        "warn", description="`stop` ends the workflow on failure; `warn` records it in the report."
    )
