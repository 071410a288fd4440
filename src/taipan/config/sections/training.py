"""Keys of the networks and of the weights that they are trained with: `training`."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from taipan.config.base import Activation, Layers, Name, NonNegative, Positive, Strict
from taipan.config.sections.adversary import Adversary, Decorrelation
from taipan.config.sections.pretraining import Pretrain

logger = logging.getLogger(__name__)


class Refinement(Strict):
    """Networks that learn weights from the features (`refine` and `resample`)."""

    parts: Annotated[int, Field(ge=2, le=20)] = Field(
        3,
        description="The training events are divided into so many parts; an event's weight comes "
        "from a network trained on the other parts.",
    )
    hidden_layers: Layers = Field(
        default_factory=lambda: [64, 64], min_length=1, description="Units of each hidden layer."
    )
    l2: NonNegative = Field(1e-4, description="L2 penalty on the kernels.")
    batch_size: Annotated[int, Field(ge=1)] = Field(512, description="Events per training step.")
    learning_rate: Positive = Field(1e-3, description="Learning rate of Adam.")
    epochs: Annotated[int, Field(ge=1)] = Field(60, description="Largest number of epochs.")
    patience: Annotated[int, Field(ge=1)] = Field(
        10,
        description="Epochs without a better Brier score of the events held out for it (a quarter "
        "of those trained on) before training stops.",
    )


class Cells(Strict):
    """Cell resampling (`cell`)."""

    components: Annotated[int, Field(ge=1)] = Field(
        6,
        description="Neighbours are near in so many leading principal components of the "
        "standardised features.",
    )
    max_radius: Positive | None = Field(
        None,
        description="Largest radius of a cell, in standard deviations of a feature; weights of a "
        "cell that is still negative there are left as they are. Null: no limit.",
    )


TWO_FOLD_PARTS = 4
"""Parts of the other fold where there are two: each stops one network."""


def most_networks(folds: int) -> int:
    """Give the largest number of networks of a fold: what stops them must differ."""
    return folds - 1 if folds > 2 else TWO_FOLD_PARTS


RENAMED_LOSSES = {"bce": "crossentropy"}
"""Former name of a loss → its name."""
FINE_TUNING = ("sannt", "inferno", "shape_penalty")
"""Losses of a short training on the fit, after one with cross-entropy."""


class Sensitivity(Strict):
    """The short training on the fit, of the losses `sannt`, `inferno` and `shape_penalty`."""

    bins: Annotated[int, Field(ge=2, le=100)] = Field(
        10, description="Bins of the logit, of equal parts of half signal, half background."
    )
    softness: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.2, description="Width of the smooth edges, in units of a bin."
    )
    steps: Annotated[int, Field(ge=1, le=10_000)] = Field(
        40, description="Largest number of passes over the events; more of them overfit."
    )
    warmup_steps: Annotated[int, Field(ge=0)] = Field(
        0, description="First passes, with all parameters but the one of interest known."
    )
    patience: Annotated[int, Field(ge=1)] = Field(
        20, description="Passes without a smaller σ of the held-out events before it stops."
    )
    learning_rate: Positive = Field(
        1e-4, description="Learning rate of Adam; a larger one fits the noise of the events."
    )
    batch_size: Annotated[int, Field(ge=1000)] = Field(
        400_000,
        description="Events and shifted events of a step. More are divided into parts of this "
        "size, each scaled to the full yields.",
    )
    strength: NonNegative = Field(
        1.0, description="`shape_penalty`: factor λ of the change of shape."
    )


def _find_loss_name(value: Any) -> Any:
    """Give the present name of a loss for a former one."""
    if isinstance(value, str) and value in RENAMED_LOSSES:
        new = RENAMED_LOSSES[value]
        logger.warning("training.loss: '%s' is now called '%s'", value, new)
        return new
    return value


class Training(Strict):
    """The k-fold network."""

    region: Name = Field("signal", description="Region whose events are trained on.")
    folds: Annotated[int, Field(ge=2, le=20)] = Field(
        5, description="Number of folds k; each network is applied only to the fold it never saw."
    )
    networks: Annotated[int, Field(ge=1, le=19)] = Field(
        4,
        description="Networks of a fold, less than `folds` (with two folds up to 4). Each is "
        "stopped early by other events, and the score is that of their mean logit.",
    )
    seeds: Annotated[int, Field(ge=1, le=20)] = Field(
        1,
        description="Each network is trained with so many seeds, on the same events; the score is "
        "that of the mean logit of all networks of a fold.",
    )
    hidden_layers: list[Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: [64, 64],
        min_length=1,
        description="Units of each hidden layer.",
    )
    activation: Activation = Field("gelu", description="Activation of the hidden layers.")
    loss: Annotated[Name, BeforeValidator(_find_loss_name)] = Field(
        "crossentropy",
        description="Loss: a file of `src/taipan/nn/losses`. Or `sannt` (the expected uncertainty "
        "of the fit), `inferno` (the same in bins that the network makes) or `shape_penalty` "
        "(cross-entropy and the change of shape by systematics), all in a short training after "
        "one with cross-entropy.",
    )
    sensitivity: Sensitivity = Field(
        default_factory=Sensitivity,
        description="The short training of `sannt`, `inferno`, `shape_penalty`.",
    )
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        0.2, description="Dropout after each hidden layer."
    )
    l2: NonNegative = Field(5e-4, description="L2 penalty on the kernels.")
    logit_bound: Positive | None = Field(
        6.0,
        description="Bound c of the logit, z → c·tanh(z/c): the loss stays bounded below. Null: no "
        "bound, for comparison; training stops once its loss is negative or |logit| > 50.",
    )
    batch_size: Annotated[int, Field(ge=1)] = Field(1024, description="Events per training step.")
    learning_rate: Positive = Field(3e-3, description="Learning rate of Adam.")
    epochs: Annotated[int, Field(ge=1)] = Field(100, description="Largest number of epochs.")
    patience: Annotated[int, Field(ge=1)] = Field(
        15, description="Epochs without a better validation metric before training stops."
    )
    early_stopping_metric: Literal["brier", "bounded_bce"] = Field(
        "brier",
        description="Metric of the validation fold that picks the best epoch; both are bounded "
        "for signed weights.",
    )
    negative_weights: Literal["signed_bounded", "refine", "resample", "cell", "abs", "drop"] = (
        Field(
            "signed_bounded",
            description="How events of negative weight are trained on: with their sign; with the "
            "learned mean of the sign; by a learned or a nearest-neighbour resampling to positive "
            "weights; with |w|; or not at all. The last two are biased, for comparison only.",
        )
    )
    refinement: Refinement = Field(
        default_factory=Refinement, description="Networks of `refine` and `resample`."
    )
    cells: Cells = Field(default_factory=Cells, description="Cells of `cell`.")
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "cosine",
        description="Learning rate by epoch: `constant`; `cosine` falls to zero at the last epoch; "
        "`plateau` halves it after a third of `patience` without a better metric.",
    )
    overtraining_patience: Annotated[int, Field(ge=1)] = Field(
        10, description="Consecutive overtrained epochs after which training stops."
    )
    selection: Literal["best_value", "best_fit"] = Field(
        "best_value",
        description="Epoch that is kept, among those not overtrained: the best metric, or the "
        "best of smooth curves fitted to the histories.",
    )
    checkpoint_every: Annotated[int, Field(ge=0)] = Field(
        10, description="Epochs between checkpoints, from which a killed training goes on; 0: none."
    )
    pretrain: Pretrain = Field(
        default_factory=Pretrain,
        description="Training that begins with the events of another sample, such as a fast "
        "simulation (docs/transfer.md).",
    )
    adversary: Adversary = Field(
        default_factory=Adversary,
        description="An adversary that tries to tell data from simulation by the score.",
    )
    decorrelate: list[Decorrelation] = Field(
        default_factory=list, description="Quantities that the score must not depend on."
    )

    @property
    def is_fine_tuned(self) -> bool:
        """Whether the loss is one of the fit, after a training with cross-entropy."""
        return self.loss in FINE_TUNING

    @property
    def event_loss(self) -> str:
        """Loss of single events that the training begins with."""
        return "crossentropy" if self.is_fine_tuned else self.loss

    @property
    def network_count(self) -> int:
        """Number of networks of all folds."""
        return self.folds * self.networks_of_fold

    @property
    def networks_of_fold(self) -> int:
        """Number of networks of a fold."""
        return self.networks * self.seeds

    def fine_tuning(self) -> Training:
        """Give the settings of the training on the events of the analysis.

        With a pre-training they are those of the fine-tuning. Its first epoch has the learning rate
        0: it is the network as it was pre-trained.
        """
        if not self.pretrain.enabled:
            return self
        pretrain = self.pretrain
        update = {"learning_rate": pretrain.learning_rate, "epochs": pretrain.epochs + 1}
        return self.model_copy(update=update)
