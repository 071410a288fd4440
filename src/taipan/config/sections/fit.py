"""Keys of the statistical model: `fit`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from taipan.config.base import Cited, Fraction, Name, Strict
from taipan.config.sections.regions import Region
from taipan.suggestions import unknown


class FreeNormalisation(Strict):
    """What a free normalisation factor multiplies."""

    samples: list[Name] = Field(min_length=1, description="Samples that it multiplies.")
    regions: list[Name] | None = Field(
        None, description="Fitted regions in which it does; all if absent."
    )


class Fit(Strict):
    """The statistical model and what is computed from it."""

    unblind: bool = Field(False, description="Use the data of the signal regions.")
    poi: Name = Field(
        "mu",
        description="Parameter of interest. With several, the one that is shown first; the first "
        "of them if absent.",
    )
    parameters_of_interest: dict[Name, list[Name]] = Field(
        default_factory=dict,
        description="Several parameters of interest, each with the signal samples that it scales: "
        "`{mu_ggH: [ggH], mu_qqH: [qqH]}`. Absent: `poi` scales all signals.",
    )
    poi_range: tuple[float, float] = Field(
        (-20.0, 40.0), description="Bounds of each parameter of interest."
    )
    observable: Name = Field(
        "nn_score", description="Observable of the signal regions that name none of their own."
    )
    reference: Name | None = Field(
        None, description="Observable of the reference fit, absent for none."
    )
    network: Name | None = Field(
        None,
        description="Which of `networks` gives the result; the first if absent. The fits of the "
        "others are shown beside it.",
    )
    cross_section: Cited | None = Field(
        None,
        description="Cross section that a signal strength of 1 stands for; the result is then "
        "given in its unit, too.",
    )
    free_normalisations: dict[Name, Name | list[Name] | FreeNormalisation] = Field(
        default_factory=dict,
        description="Normalisation factors that float without constraint: parameter → sample, list "
        "of samples, or `{samples: [...], regions: [...]}`.",
    )
    leave_out: list[Name] = Field(
        default_factory=list,
        description="Regions with role signal or control that are filled, but not fitted.",
    )
    mc_statistics: bool = Field(True, description="One parameter per bin for Σw² (staterror).")
    confidence_level: Fraction = Field(0.95, description="Level of the upper limit.")

    @model_validator(mode="before")
    @classmethod
    def _choose_first(cls, values: Any) -> Any:
        """Show the first of several parameters of interest first."""
        if isinstance(values, Mapping) and "poi" not in values:
            several = values.get("parameters_of_interest")
            if isinstance(several, Mapping) and several:
                return {**values, "poi": next(iter(several))}
        return values

    @property
    def pois(self) -> list[str]:
        """The parameters of interest, the one that is shown first at the front."""
        others = (name for name in self.parameters_of_interest if name != self.poi)
        return [self.poi, *others]

    def find_poi(self, sample: str) -> str:
        """Name the parameter of interest that scales a signal sample.

        Raises
        ------
        KeyError
            If there are several and none scales it.
        """
        if not self.parameters_of_interest:
            return self.poi
        for name, samples in self.parameters_of_interest.items():
            if sample in samples:
                return name
        raise KeyError(sample)

    @property
    def normalisations(self) -> dict[str, FreeNormalisation]:
        """The free normalisations, each written out."""
        found = {}
        for name, given in self.free_normalisations.items():
            samples = [given] if isinstance(given, str) else given
            found[name] = (
                samples
                if isinstance(samples, FreeNormalisation)
                else FreeNormalisation(samples=samples, regions=None)
            )
        return found


def fitted_regions(regions: Mapping[str, Region], fit: Fit) -> list[str]:
    """List the regions of the model: those with role signal or control that are not left out."""
    return [name for name, item in regions.items() if item.is_fitted and name not in fit.leave_out]


def find_unscaled(fit: Fit, signals: Sequence[str]) -> Iterator[str]:
    """Yield a line for each signal that not exactly one parameter of interest scales, and so on.

    Parameters
    ----------
    fit
        The section.
    signals
        Samples with ``role: signal``.
    """
    several, path = fit.parameters_of_interest, "fit.parameters_of_interest"
    if not several:
        return
    if fit.poi not in several:
        yield unknown("fit.poi", fit.poi, f"parameter of {path}", list(several))
    owner: dict[str, str] = {}
    for name, samples in several.items():
        if not samples:
            yield f"{path}.{name}: an empty list; name the signal samples that it scales"
        for i, sample in enumerate(samples):
            where = f"{path}.{name}[{i}]"
            if sample not in signals:
                yield unknown(where, sample, "sample with role signal", signals)
            elif sample in owner:
                yield f"{where}: '{sample}' is scaled by {owner[sample]} already"
            owner.setdefault(sample, name)
    for sample in signals:
        if sample not in owner:
            yield f"{path}: none scales the signal '{sample}'"
