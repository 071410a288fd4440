"""Keys of the judgement of the score in control regions: `decorrelation`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from taipan.config.base import Fraction, Name, Place, Strict


class DecorrelationCheck(Strict):
    """How well the score agrees between data and simulation in control regions."""

    enabled: bool = Field(
        True,
        description="Part of a complete run; if false, made on demand (`check_decorrelation`).",
    )
    regions: list[Name] = Field(
        default_factory=list,
        description="Regions in which data are compared with simulation; if empty all that share "
        "no event with a signal region. Others are not allowed.",
    )
    efficiencies: list[Fraction] = Field(
        default_factory=lambda: [0.5, 0.3, 0.1],
        min_length=1,
        description="Signal efficiencies of the working points at which the tails are compared.",
    )
    variables: list[Name] = Field(
        default_factory=list,
        description="Quantities whose distance correlation with the score is measured; if empty "
        "the observables besides the score.",
    )
    condition_on: list[Name] = Field(
        default_factory=list,
        description="Quantities that the fresh adversary sees besides the score.",
    )
    folds: Annotated[int, Field(ge=2, le=20)] = Field(
        5, description="Folds of the fresh adversary."
    )
    compare: dict[Name, Place] = Field(
        default_factory=dict,
        description="Networks that are judged besides, on the same events: name → folder `models` "
        "of another run with the same features and folds (`baseline: results/plain/NAME/models`).",
    )
    permutations: Annotated[int, Field(ge=1, le=10_000)] = Field(
        100, description="Random orders that a distance correlation is compared with."
    )
