"""Keys of the search for hyperparameters: `tuning`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import Activation, Host, Name, NonNegative, Strict

Choices = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


Range = tuple[NonNegative, NonNegative]

HYPERPARAMETERS = (
    "layers",
    "units",
    "activation",
    "dropout",
    "l2",
    "batch_size",
    "learning_rate",
    "schedule",
    "feature_set",
)
"""What trials differ in, in the order of tables and figures."""


class SearchSpace(Strict):
    """What the search varies; a list holds the choices, a pair [lowest, highest] a range."""

    layers: Choices = Field(default_factory=lambda: [1, 2, 3], description="Hidden layers.")
    units: Choices = Field(
        default_factory=lambda: [32, 64, 128], description="Units of each hidden layer."
    )
    activation: list[Activation] = Field(["gelu", "silu"], min_length=1, description="Activations.")
    dropout: Range = Field((0.1, 0.5), description="Range of the dropout, below 1.")
    l2: Range = Field((1e-4, 3e-3), description="Range of the L2 penalty (logarithmic, above 0).")
    batch_size: Choices = Field(
        default_factory=lambda: [512, 1024, 2048], description="Events per training step."
    )
    learning_rate: Range = Field(
        (1e-3, 1e-2), description="Range of the learning rate (logarithmic, above 0)."
    )
    schedule: list[Literal["constant", "cosine", "plateau"]] = Field(
        ["constant", "cosine"],
        min_length=1,
        description="Schedules of the learning rate.",
    )
    feature_sets: dict[Name, list[str]] = Field(
        default_factory=dict,
        description="Named subsets of `features` to choose from; all features if there is none.",
    )


class Tuning(Strict):
    """Search for the hyperparameters of the network with keras-tuner."""

    enabled: bool = Field(
        True, description="Search; if false the values of `training` are used as they are."
    )
    algorithm: Literal["random", "bayesian", "hyperband"] = Field(
        "random",
        description="Algorithm. Only `random` gives the same trials for any number of workers.",
    )
    trials: Annotated[int, Field(ge=1)] = Field(8, description="Largest number of trials.")
    workers: Annotated[int, Field(ge=1)] = Field(
        2, description="Trials at the same time; they share the rule's cores and one process."
    )
    objective: Literal["brier", "bce", "auc", "sigma_mu"] = Field(
        "brier",
        description="Metric of the validation events that ranks the trials, at the best epoch "
        "that is not overtrained.",
    )
    first_check: Annotated[int, Field(ge=0)] = Field(
        16,
        description="After so many epochs, and after 2, 4, 8, ... times as many, a trial ends if "
        "it is not as good as the values of `training` were after half as many. 0: never; "
        "Hyperband has rules of its own.",
    )
    confirm_folds: Annotated[int, Field(ge=0)] = Field(
        2,
        description="Number of other validation folds on which the best trial is compared with the "
        "values of `training`. 0: it replaces them without a comparison.",
    )
    min_sigma: NonNegative = Field(
        2.0,
        description="The best trial replaces the values of `training` only if it is better by more "
        "than so many standard deviations in that comparison.",
    )
    address: Host = Field(
        "127.0.0.1",
        min_length=1,
        description="Address at which workers reach the search; `0.0.0.0` if some run on other "
        "machines.",
    )
    space: SearchSpace = Field(default_factory=SearchSpace, description="What is varied.")
