"""Keys of the attacks on the networks: `robustness`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from taipan.config.base import Fraction, Name, Positive, Strict


class Robustness(Strict):
    """Attacks of `snakemake robustness`, no part of a complete run."""

    events: Annotated[int, Field(ge=100, le=100_000)] = Field(
        1500, description="Events of each simulated sample that are attacked."
    )
    sizes: list[Positive] = Field(
        default_factory=lambda: [0.5, 1.0, 2.0],
        min_length=1,
        description="Factors of the uncertainties: an attack may move each by so many σ.",
    )
    max_distance: Fraction = Field(
        0.05, description="Largest Jensen-Shannon distance of a feature, attacked to clean events."
    )
    max_correlation: Fraction = Field(
        0.05, description="Largest relative change of the matrix of correlations."
    )
    bins: Annotated[int, Field(ge=5, le=200)] = Field(
        40, description="Bins of a feature, of equally many events."
    )
    resolutions: dict[Name, Positive] = Field(
        default_factory=dict,
        description="Uncertainty of features that no shift of objects moves, in their unit.",
    )
    groups: dict[Name, Annotated[list[Name], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Features that `snakemake rank_groups` drops together, such as those made of "
        "one object; if empty each feature alone.",
    )
    repeats: Annotated[int, Field(ge=2, le=20)] = Field(
        3, description="Trainings of different seeds without each group."
    )
    alpha: Positive = Field(
        0.1, description="Weight of the size of a change against what it does to the score."
    )
    shuffled: Annotated[int, Field(ge=1, le=20)] = Field(
        2, description="Features of an event that are shuffled; at most all that have many values."
    )
