"""Keys of what gives the score: `classifier`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from taipan.config.base import NonNegative, Place, Positive, Strict


class Classifier(Strict):
    """What gives the score; a kind overrides what holds of it alone."""

    @property
    def models(self) -> list[str]:
        """Files that it is taken from; none if it is trained."""
        return []

    @property
    def is_trained(self) -> bool:
        """Whether this run trains it, and so has a history of it."""
        return True

    @property
    def is_judged(self) -> bool:
        """Whether the events that it was trained on are at hand, as the gate needs them."""
        return True


class NetworkClassifier(Classifier):
    """Neural networks, trained as the section `training` says."""

    kind: Literal["network"] = Field("network", description="Networks of the section `training`.")


class BoostedTrees(Classifier):
    """Boosted trees of XGBoost, trained on the folds, weights and conditions of `training`."""

    kind: Literal["xgboost"] = Field("xgboost", description="Boosted trees.")
    rounds: Annotated[int, Field(ge=1, le=10_000)] = Field(
        300, description="Largest number of rounds, each with a tree (for classes a tree each)."
    )
    depth: Annotated[int, Field(ge=1, le=16)] = Field(3, description="Largest depth of a tree.")
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        0.1, description="Share of a tree's answer that is added."
    )
    min_child_weight: Positive = Field(
        100.0,
        description="Smallest sum of the second derivatives in a leaf, with signed weights: about "
        "four times as many events. It keeps leaves apart whose negative weights outweigh the "
        "others.",
    )
    l2: NonNegative = Field(1.0, description="L2 penalty on the answers of the leaves.")


class ModelFile(Classifier):
    """A classifier in ONNX files that were made before; nothing is trained."""

    kind: Literal["file"] = Field("file", description="A classifier from a file.")
    model: Place | list[Place] = Field(
        description="ONNX file, or one for each fold. Its inputs are `features`; its output is the "
        "score, or those of all `classes`."
    )
    trained_on: Literal["folds", "elsewhere"] = Field(
        "folds",
        description="`folds`: a file a fold, each says in its metadata which fold it never saw; "
        "`elsewhere`: you state that it never saw an event of this analysis.",
    )

    @property
    def models(self) -> list[str]:
        """All files."""
        return [self.model] if isinstance(self.model, str) else list(self.model)

    @property
    def is_trained(self) -> bool:
        """It was made before."""
        return False

    @property
    def is_judged(self) -> bool:
        """Only where its training events are those of the folds."""
        return self.trained_on == "folds"


def _read_short_form(value: Any) -> Any:
    """Read `xgboost` as `{kind: xgboost}`, and keys without a kind as those of a file."""
    if isinstance(value, str):
        return {"kind": value}
    if isinstance(value, dict) and "kind" not in value and "model" in value:
        return {"kind": "file", **value}
    return value


if TYPE_CHECKING:
    AnyClassifier = NetworkClassifier | BoostedTrees | ModelFile
else:
    AnyClassifier = Annotated[
        NetworkClassifier | BoostedTrees | ModelFile,
        Field(
            discriminator="kind",
            description="What gives the score: a name (`xgboost`), or its keys",
        ),
        BeforeValidator(_read_short_form),
    ]
"""Keys of ``classifier``: those of the kind that `kind` names."""
