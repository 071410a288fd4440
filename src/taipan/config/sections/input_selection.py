"""Keys of the ranking and elimination of inputs: `input_selection`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import NonNegative, Strict


class InputSelection(Strict):
    """Backward elimination of inputs, made on demand, and their permutation importance."""

    mode: Literal["shuffle", "retrain", "hybrid"] = Field(
        "hybrid",
        description="How the input to drop is found and the rest judged: `shuffle`: by shuffling "
        "inputs of networks trained once; `retrain`: by training without each; `hybrid`: found by "
        "shuffling, judged by training.",
    )
    repeats: Annotated[int, Field(ge=2)] = Field(
        3, description="Trainings (of different seeds) and shuffles that are averaged."
    )
    patience: Annotated[int, Field(ge=1)] = Field(
        3, description="Significantly worse sets in a row after which the elimination ends."
    )
    max_sigma: NonNegative = Field(
        1.0, description="A set is as good as the best one if it is worse by at most so many σ."
    )
