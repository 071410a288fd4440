"""Keys of the adversarial training: `training.adversary`, `training.decorrelate`, the scan."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import Activation, Layers, Name, Positive, Strict

Strength = Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)]


class ControlSample(Strict):
    """Data minus what is estimated from them against simulation, which the score is not to tell."""

    region: Name = Field(
        "control",
        description="Region of the events; no signal region, and none of its events may be trained "
        "on otherwise.",
    )
    simulation: list[Name] = Field(
        default_factory=list,
        description="What collision data are compared with: simulated samples, all of them if "
        "empty. Those not listed are subtracted from the data, as is what is estimated from them.",
    )
    neutral: list[Name] = Field(
        default_factory=list,
        description="Features that define the region, and would tell the network where it is: the "
        "control events are shown to it with the mean of the training events in their place.",
    )


class Adversary(Strict):
    """A second network that tries to tell data from simulation by the score (docs/adversary.md)."""

    enabled: bool = Field(False, description="Train against an adversary.")
    control_sample: ControlSample = Field(
        default_factory=ControlSample, description="The two domains."
    )
    strength: Strength = Field(
        10.0,
        description="λ: the network minimises its own loss minus λ times the adversary's. 0: the "
        "plain training.",
    )
    warmup_epochs: Annotated[int, Field(ge=0, le=100_000)] = Field(
        5, description="Epochs over which λ rises from 0; none of them is kept."
    )
    steps: Annotated[int, Field(ge=1, le=100)] = Field(
        2,
        description="Steps of the adversary for each of the network; with `reversal` the last of "
        "them is the common one.",
    )
    hidden_layers: Layers = Field(
        default_factory=lambda: [24, 12],
        min_length=1,
        description="Units of each hidden layer of the adversary.",
    )
    activation: Activation = Field(
        "tanh", description="Activation of the adversary's hidden layers."
    )
    optimizer: Literal["adam", "nadam", "sgd"] = Field(
        "adam", description="Optimiser of the adversary."
    )
    learning_rate: Positive = Field(3e-3, description="Learning rate of the adversary.")
    mechanism: Literal["alternating", "reversal"] = Field(
        "alternating",
        description="`alternating`: the adversary takes its steps with the network frozen, then "
        "the network one with the adversary frozen; `reversal`: both in one step, the gradient "
        "that reaches the network through the adversary times -λ.",
    )
    sees: Literal["score", "hidden"] = Field(
        "score",
        description="What the adversary sees: the score (its logit) or the last layer "
        "of hidden units.",
    )
    condition_on: list[Name] = Field(
        default_factory=list, description="Quantities that the adversary sees besides."
    )
    emphasis: Annotated[float, Field(ge=0.0, le=2.0, allow_inf_nan=False)] = Field(
        0.5,
        description="Events of the control sample count in the adversary's loss with the power a "
        "of the odds s/(1-s) of their score: 0 as they are, so that the bulk decides; towards 1 "
        "as much as signal there, so that the tail does.",
    )
    start: Literal["scratch", "baseline"] = Field(
        "scratch", description="Begin with a new network, or with one trained without adversary."
    )
    pretraining_epochs: Annotated[int, Field(ge=1)] = Field(
        30, description="Largest number of epochs of that training (`start: baseline`)."
    )


class Decorrelation(Strict):
    """A quantity that the score of the background must not depend on."""

    variable: Name = Field(description="Quantity of the analysis.")
    region: Name = Field(description="Region whose background events are used.")
    method: Literal["adversary", "disco"] = Field(
        description="`adversary`: a network that predicts the decile of the quantity, with the "
        "settings of `training.adversary`; `disco`: squared distance correlation, which is added "
        "to the loss."
    )
    strength: Strength = Field(description="λ of this term.")


class AdversaryScan(Strict):
    """Values of λ that `snakemake scan_lambda` compares."""

    values: list[Strength] = Field(
        default_factory=lambda: [0.0, 1.0, 10.0, 30.0],
        min_length=1,
        description="Values of λ; with 0, the plain training, as the reference.",
    )
    seeds: Annotated[int, Field(ge=3, le=100)] = Field(
        3, description="Trainings of different seeds for each value."
    )
