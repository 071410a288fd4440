"""Keys of a source of systematic uncertainty: `systematics`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import Name, Strict


class Systematic(Strict):
    """One source of systematic uncertainty, correlated over samples and regions by its name."""

    kind: Literal["rate", "weight", "kinematic", "sample", "control_residual"] = Field(
        description="`rate`: a normalisation; `weight`: a change of event weights; `kinematic`: a "
        "shift of objects with migration across cuts; `sample`: an alternative dataset; "
        "`control_residual`: what is left between data and simulation along the observable in a "
        "control region."
    )
    group: Literal["experimental", "theory", "normalisation"] = Field(
        "experimental", description="Group in the uncertainty breakdown."
    )
    samples: list[str] = Field(min_length=1, description="Samples it acts on.")
    regions: list[str] | None = Field(None, description="Regions it acts on; all if absent.")
    size: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Relative size of ±1σ (rate: of the yield; kinematic: of the scale)."
    )
    up: Annotated[float, Field(gt=-1)] | None = Field(
        None, description="Relative change at +1σ of an asymmetric rate."
    )
    down: Annotated[float, Field(gt=-1)] | None = Field(
        None, description="Relative change at -1σ of an asymmetric rate."
    )
    shift: str | None = Field(
        None, description="Kinematic shift of the analysis (kind `kinematic`)."
    )
    weight: str | None = Field(
        None,
        description="Weight (kind `weight`): `pileup`, the correction on against off, or one of "
        "the section `weights`, applied against not applied.",
    )
    datasets: list[str] | None = Field(
        None, description="Alternative datasets (kind `sample`), in place of the sample's own."
    )
    region: Name | None = Field(
        None,
        description="Control region (kind `control_residual`) in which data are compared with "
        "the samples.",
    )
    symmetrize: bool = Field(
        False,
        description="Kinematic: use the nominal template ± half the difference of the up and down "
        "templates, which halves their statistical noise and removes changes common to both. "
        "One-sided kinds are always mirrored.",
    )
    one_sided: bool = Field(
        False,
        description="Kinematic: make the up templates only and mirror them, for shifts that have "
        "no opposite (resolutions).",
    )
    smooth: Literal["none", "lowess", "353QH"] = Field(
        "none",
        description="Smooth the ratio of varied to nominal templates: local straight lines "
        "(`lowess`) or running medians and means (`353QH`).",
    )
    prune: bool = Field(
        True, description="Leave parts below `templates.prune_rate` and `.prune_shape` out."
    )
    decorrelate: list[Literal["sample", "region", "shape"]] = Field(
        default_factory=list,
        description="What gets parameters of its own: each sample, each region, or shape and rate.",
    )
    source: str = Field("", description="Where the size comes from.")
