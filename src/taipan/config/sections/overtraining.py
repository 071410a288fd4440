"""Keys of the gate on overtraining: `overtraining`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import NonNegative, Positive, Strict


class OvertrainingCondition(Strict):
    """A test whether training events score better than unseen ones."""

    metric: Literal["bce", "brier", "auc", "ks_signal", "ks_background", "sigma_mu"] = Field(
        description="Metric that is compared: cross-entropy, Brier score, AUC, "
        "Kolmogorov-Smirnov distance of a class, expected statistical σ(μ) of the binned score."
    )
    max_ratio: Annotated[float, Field(ge=1.0, allow_inf_nan=False)] = Field(
        1.01,
        description="Largest ratio of the worse to the better value, unseen over training events "
        "(AUC: training over unseen; Kolmogorov-Smirnov: 1 + distance).",
    )
    min_sigma: NonNegative = Field(
        3.0, description="The ratio counts only if the difference exceeds so many σ."
    )


class Overtraining(Strict):
    """Overtraining: conditions on every epoch, and the gate on the final networks."""

    conditions: list[OvertrainingCondition] = Field(
        default_factory=lambda: [
            OvertrainingCondition(metric="bce", max_ratio=1.02),
            OvertrainingCondition(metric="auc", max_ratio=1.02),
        ],
        description="An epoch, and a final network, is overtrained if one of them fires: its ratio "
        "*and* its significance are exceeded.",
    )
    min_ks_probability: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        1e-3,
        description="Smallest weighted Kolmogorov-Smirnov probability, per class, between the "
        "score of training and held-out events.",
    )
    min_chi2_probability: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        1e-3,
        description="Smallest χ² probability, per class, between the score histograms of training "
        "and held-out events.",
    )
    max_auc_gap: Positive = Field(
        0.03, description="Largest AUC(train) - AUC(held out) that is accepted."
    )
    min_sigma: Positive = Field(
        2.0, description="The gap counts only if it exceeds so many standard deviations."
    )
    on_failure: Literal["stop", "warn"] = Field(
        "warn", description="`stop` ends the workflow on failure; `warn` records it in the report."
    )
