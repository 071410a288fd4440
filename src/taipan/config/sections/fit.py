"""Keys of the statistical model: `fit`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from taipan.config.base import Bounded, Cited, Fraction, Name, Positive, Strict
from taipan.config.polynomials import LARGEST_POWER, Expressions, Polynomial, parameter
from taipan.config.sections.regions import Region
from taipan.config.truth_bins import name_strengths
from taipan.errors import TaipanError
from taipan.suggestions import unknown

AGAIN = "_again"
"""Ending of the copy of a parameter in a square: HistFactory multiplies by each name once."""


class FreeNormalisation(Strict):
    """What a free normalisation factor multiplies."""

    samples: list[Name] = Field(min_length=1, description="Samples that it multiplies.")
    regions: list[Name] | None = Field(
        None, description="Fitted regions in which it does; all if absent."
    )


class Interest(Strict):
    """A parameter of interest: what it scales, in which unit, and what is expected of it."""

    samples: list[Name] = Field(
        default_factory=list,
        description="Samples whose yields it multiplies. None: it stands in expressions of "
        "`fit.scale`.",
    )
    cross_section: Cited | None = Field(
        None,
        description="Predicted cross section of its samples (times branching ratio, as it is to be "
        "quoted). The parameter is then the cross section in this unit, and may be one of a "
        "background.",
    )
    of_prediction: list[Name] = Field(
        default_factory=list,
        description="Systematics of the predicted cross section: they do not act on these samples, "
        "whose cross section is measured.",
    )
    of_acceptance: list[Name] = Field(
        default_factory=list,
        description="Rates of group `theory` or `normalisation` that do act, because they are "
        "uncertainties of the acceptance.",
    )
    prediction: Bounded = Field(
        1.0,
        description="Value for which the expected result is given, without unit: 1 for a signal "
        "strength, 0 for a coefficient of new physics. With `cross_section`: 1.",
    )
    range: tuple[Bounded, Bounded] | None = Field(
        None, description="Bounds, in its unit; `fit.poi_range` (times the prediction) if absent."
    )
    label: str = Field("", description="What it is, for the first lines of the summary.")

    @property
    def unit_size(self) -> float:
        """What a factor of 1 on the yields is, in the unit of the parameter."""
        return 1.0 if self.cross_section is None else self.cross_section.value


class Unfolding(Strict):
    """Truth bins of a sample: each is a sample of its own, with its own parameter of interest."""

    quantity: Name = Field(description="Quantity of the generator, which the skim stores.")
    edges: list[Bounded] = Field(
        min_length=3,
        description="Edges of the truth bins. Events that none of them holds stay in the sample "
        "`<sample>_outside`, at the predicted rate.",
    )
    label: str = Field("", description="The quantity in words, on plots; its name if empty.")
    unit: str = Field("", description="Unit of the edges, on plots.")
    curvature: Positive | None = Field(
        None,
        description="Standard deviation of a second difference of neighbouring strengths, which "
        "is drawn to zero; absent: no penalty, and no bias.",
    )
    cross_sections: list[Positive] | None = Field(
        None, description="Predicted cross section of each truth bin; the spectrum is then in it."
    )
    cross_section_unit: str = Field("pb", description="Its unit.")


class Fit(Strict):
    """The statistical model and what is computed from it."""

    unblind: bool = Field(False, description="Use the data of the signal regions.")
    poi: Name = Field(
        "mu",
        description="Parameter of interest. With several, the one that is shown first; the first "
        "of them if absent.",
    )
    parameters_of_interest: dict[Name, list[Name] | Interest] = Field(
        default_factory=dict,
        description="Several parameters of interest, each with the signal samples that it scales: "
        "`{mu_ggH: [ggH], mu_qqH: [qqH]}`, or with more keys: `{sigma_ztt: {samples: [ZTT], "
        "cross_section: {...}}}`. Absent: `poi` scales all signals.",
    )
    scale: dict[Name, str] = Field(
        default_factory=dict,
        description="Sample → polynomial of parameters of interest that multiplies its yield: "
        "`{qqH: kappa_V**2, ggH_int: c, ggH_sq: c**2}`; quadratic in each at most.",
    )
    unfolding: dict[Name, Unfolding] = Field(
        default_factory=dict,
        description="Sample → truth bins that it is divided into, each with a strength to fit.",
    )
    expressions: dict[Name, str] = Field(
        default_factory=dict,
        description="Polynomials with a name, for `scale` and for each other.",
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
    shift_statistics: bool = Field(
        True,
        description="Add the noise of shifted templates, after smoothing, to the statistics of "
        "the simulation.",
    )
    confidence_level: Fraction = Field(0.95, description="Level of the upper limit.")
    impacts: Literal["refits", "covariance"] = Field(
        "refits",
        description="How the impacts of parameters are computed: by a refit with each shifted, or "
        "from the covariance of the fit, which is fast and right for a parabola.",
    )

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

    @property
    def drawn_in_pairs(self) -> list[str]:
        """The parameters of interest that are not those of truth bins: each pair has a contour."""
        strengths = {
            name
            for sample, item in self.unfolding.items()
            for name in name_strengths(sample, len(item.edges) - 1)
        }
        return [name for name in self.pois if name not in strengths]

    @property
    def interests(self) -> dict[str, Interest]:
        """The parameters of interest, each written out, in the order of :attr:`pois`."""
        found = {}
        for name in self.pois:
            given = self.parameters_of_interest.get(name, [])
            found[name] = given if isinstance(given, Interest) else Interest(samples=given)
        return found

    @property
    def _expressions(self) -> Expressions:
        return Expressions(self.expressions, tuple(self.pois), "fit.expressions")

    @property
    def scales(self) -> dict[str, Polynomial]:
        """Sample → what multiplies its yield, written out in the parameters.

        Raises
        ------
        TaipanError
            If an expression uses what does not exist, or HistFactory cannot hold it.
        """
        return {
            sample: self._expressions.resolve(text, f"fit.scale.{sample}")
            for sample, text in self.scale.items()
        }

    def find_scale(self, sample: str, *, is_signal: bool) -> Polynomial | None:
        """Give what the parameters of interest multiply a sample by; None if nothing.

        Raises
        ------
        KeyError
            If there are several parameters and none scales a signal.
        """
        if sample in self.scale:
            return self._expressions.resolve(self.scale[sample], f"fit.scale.{sample}")
        for name, interest in self.interests.items():
            if sample in interest.samples:
                return parameter(name)
        if not is_signal:
            return None
        if self.parameters_of_interest:
            raise KeyError(sample)
        return parameter(self.poi)

    def bounds(self, name: str) -> tuple[float, float]:
        """Bounds of a parameter of interest as a factor on yields, whatever its unit."""
        interest = self.interests[name]
        low, high = self.poi_range if interest.range is None else interest.range
        size = 1.0 if interest.range is None else interest.unit_size
        return low / size, high / size

    @property
    def unmeasured(self) -> dict[str, set[str]]:
        """Systematic → samples on which it does not act, as their cross section is measured."""
        found: dict[str, set[str]] = {}
        for interest in self.interests.values():
            for name in interest.of_prediction:
                found.setdefault(name, set()).update(interest.samples)
        return found

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


def find_unscaled(
    fit: Fit, signals: Sequence[str], samples: Sequence[str] | None = None
) -> Iterator[str]:
    """Yield a line for each signal that not exactly one thing scales, and so on.

    Parameters
    ----------
    fit
        The section.
    signals
        Samples with ``role: signal``.
    samples
        All simulated samples; a cross section and `fit.scale` may be of any. The signals if absent.
    """
    everything = list(signals if samples is None else samples)
    several, path = fit.parameters_of_interest, "fit.parameters_of_interest"
    try:
        scales = fit.scales
        for name, text in fit.expressions.items():  # those that no sample uses, too
            Expressions(fit.expressions, tuple(fit.pois), "fit.expressions").resolve(
                text, f"fit.expressions.{name}"
            )
    except TaipanError as error:
        yield str(error)
        return
    yield from _check_expression_names(fit)
    if not several:
        if fit.scale:
            yield f"fit.scale: needs {path}, which names the parameters"
        return
    if fit.poi not in several:
        yield unknown("fit.poi", fit.poi, f"parameter of {path}", list(several))
    owner: dict[str, str] = {}
    for sample in scales:
        if sample not in everything:
            yield unknown(f"fit.scale.{sample}", sample, "simulated sample", everything)
        owner[sample] = "fit.scale"
    used = {name for scale in scales.values() for name in scale.names}
    for name, interest in fit.interests.items():
        written = isinstance(several.get(name), Interest)
        if not interest.samples and name not in used:
            what = "name the signal samples that it scales"
            more = ", or use it in fit.scale" if written else ""
            yield f"{path}.{name}: {'scales nothing' if written else 'an empty list'}; {what}{more}"
        allowed, what = (
            (everything, "simulated sample")
            if interest.cross_section is not None
            else (list(signals), "sample with role signal")
        )
        for i, sample in enumerate(interest.samples):
            where = f"{path}.{name}{'.samples' if written else ''}[{i}]"
            if sample not in allowed:
                yield unknown(where, sample, what, allowed)
            elif sample in owner:
                yield f"{where}: '{sample}' is scaled by {owner[sample]} already"
            owner.setdefault(sample, name)
        if written:
            yield from _check_interest(fit, name, interest, scales)
    for sample in signals:
        if sample not in owner:
            yield f"{path}: none scales the signal '{sample}'"


def _check_expression_names(fit: Fit) -> Iterator[str]:
    for name in fit.expressions:
        if name in fit.pois:
            yield f"fit.expressions.{name}: '{name}' is a parameter of interest already"
    for name in fit.pois:
        again = f"{name}{AGAIN}"
        if again in (*fit.pois, *fit.expressions, *fit.free_normalisations):
            yield f"fit: the name '{again}' stands for the square of '{name}'; rename it"


def _check_interest(
    fit: Fit, name: str, interest: Interest, scales: Mapping[str, Polynomial]
) -> Iterator[str]:
    """Yield a line for each key of a parameter of interest that has no meaning."""
    path = f"fit.parameters_of_interest.{name}"
    low, high = fit.bounds(name)
    prediction = interest.prediction
    if interest.cross_section is not None and prediction != 1.0:
        yield f"{path}.prediction: {prediction:g}: with cross_section it is that, leave it out"
    if not low < prediction < high and not low == prediction == 0.0:
        size = interest.unit_size
        where = "fit.poi_range" if interest.range is None else f"{path}.range"
        yield (
            f"{where}: [{low * size:g}, {high * size:g}] must increase and contain the predicted "
            f"{name}, {prediction * size:g}"
        )
    acting = [scale for scale in scales.values() if name in scale.names]
    if interest.samples or not acting:
        return
    values = {poi: item.prediction for poi, item in fit.interests.items()}
    if not any(scale.slope(name, values) for scale in acting):
        yield (
            f"{path}.prediction: {prediction:g}: no yield changes with a small change of '{name}' "
            "there, so the expected result has no uncertainty; name the square a parameter, or "
            "choose another prediction"
        )
    even = all(
        dict(monomial).get(name, LARGEST_POWER) == LARGEST_POWER
        for scale in acting
        for monomial in scale.terms
    )
    if even and low < 0.0 < high:
        yield (
            f"{path}.range: [{low:g}, {high:g}]: only the square of '{name}' is in the model, "
            "which does not know its sign; let the range begin at 0"
        )
