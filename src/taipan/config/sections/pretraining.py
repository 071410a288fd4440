"""Keys of a training that begins with another sample: `training.pretrain`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from taipan.config.base import Positive, Strict


class Pretrain(Strict):
    """Pre-training on the events of another catalogue, such as a fast simulation."""

    catalogue: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Catalogue of the analysis with the events that the networks are trained on "
        "first, such as `fastsim`. Null: no pre-training.",
    )
    overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="Keys of the run that are others in the pre-training, such as "
        "`fastsim.events`, `files`, `seed`, `training.learning_rate` or `training.epochs`.",
    )
    learning_rate: Positive = Field(
        1e-4, description="Learning rate of the fine-tuning, in place of that of `training`."
    )
    epochs: Annotated[int, Field(ge=0)] = Field(
        30,
        description="Largest number of epochs of the fine-tuning, in place of that of `training`. "
        "0: the networks stay as they were pre-trained.",
    )
    freeze: list[str] = Field(
        default_factory=list,
        description="Layers that the fine-tuning leaves as they are: `hidden_0`, `hidden_1`, ..., "
        "`logit`, and `embedding_<number of the feature>` of an embedded feature.",
    )

    @property
    def enabled(self) -> bool:
        """Whether there is a pre-training."""
        return self.catalogue is not None
