"""Keys of the pseudo-experiments: `coverage`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from taipan.config.base import Bounded, Strict


class Coverage(Strict):
    """Pseudo-experiments of `snakemake measure_coverage`."""

    experiments: Annotated[int, Field(ge=10)] = Field(
        1000, description="Number of pseudo-experiments."
    )
    batches: Annotated[int, Field(ge=1)] = Field(
        4, description="Jobs that they are divided into (a divisor of `experiments`)."
    )
    mu_range: tuple[Bounded, Bounded] = Field(
        (0.0, 3.0), description="Range of the injected signal strengths, drawn uniformly."
    )
