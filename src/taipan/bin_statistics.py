"""Uncertainties per bin that pyhf leaves out: those of yields that are not positive.

``staterror`` and ``shapesys`` multiply a yield by a parameter γ with one auxiliary measurement for
each bin, whose relative width is the uncertainty over the yield. pyhf 0.7 knows this width only
where the yield is positive (for ``staterror``: the sum of the samples that share γ). In all other
bins it holds γ at 1, so the uncertainty is lost and no message says so. Interference terms and
estimates made of data minus simulation have such bins.

A factor γ with the width uncertainty / abs(yield) is right for a negative yield, too. A yield of
zero has no such factor, and neither has a sum in which samples of both signs nearly cancel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

BIN_MODIFIERS = ("staterror", "shapesys")
# Samples of both signs whose sum is smaller than its uncertainty: the factor would also multiply
# what the samples share, by a number far from 1.
MAX_CANCELLED = 1.0
# pyhf ends γ at 10: a relative uncertainty above 9 is cut off before one standard deviation.
MAX_WIDTH = 9.0
# An uncertainty below this fraction of √yield of the whole bin changes a result by less than 10⁻⁶.
NEGLIGIBLE = 1e-3
# pyhf ends γ at zero, where a yield ends that is a count. That of a negative yield may change its
# sign; so many standard deviations around 1 are free.
FREE_SIGMAS = 5.0


@dataclass(frozen=True)
class ModifierGroup:
    """The samples of a region that one ``staterror`` or ``shapesys`` multiplies.

    Attributes
    ----------
    kind, name, region
        Of the modifier.
    samples
        Names of the samples.
    total, negative
        Sum of their yields, and of the negative ones alone, per bin.
    error
        Uncertainty of the sum per bin, √Σσ².
    negligible
        Uncertainty per bin that changes no result.
    """

    kind: str
    name: str
    region: str
    samples: tuple[str, ...]
    total: Array
    negative: Array
    error: Array
    negligible: Array

    @property
    def width(self) -> Array:
        """Relative uncertainty per bin, ``error / abs(total)``; zero where the sum is zero."""
        size = np.abs(self.total)
        with np.errstate(over="ignore"):
            return np.divide(self.error, size, out=np.zeros_like(size), where=size > 0.0)

    @property
    def uncounted(self) -> Mask:
        """Bins whose uncertainty no factor can hold."""
        mixed = (self.negative < 0.0) & (self.negative != self.total)
        too_wide = self.width > np.where(mixed, MAX_CANCELLED, MAX_WIDTH)
        return np.asarray((self.error > self.negligible) & ((self.total == 0.0) | too_wide))

    @property
    def held(self) -> Mask:
        """Bins whose γ is held at 1: without an uncertainty, or with one too wide for γ."""
        lost = self.uncounted & ((self.total == 0.0) | (self.width > MAX_WIDTH))
        return np.asarray(lost | (self.width == 0.0) | (self.uncounted & (self.total < 0.0)))

    @property
    def restored(self) -> Mask:
        """Bins with a negative sum, which are counted here and which pyhf leaves out."""
        return np.asarray((self.error > 0.0) & (self.total < 0.0) & ~self.uncounted)

    def describe(self, bins: Mask) -> str:
        """Name region, modifier, samples and the first of some bins."""
        first = int(np.argmax(bins))
        more = int(bins.sum()) - 1
        return (
            f"region {self.region}, bin {first}{f' and {more} more' if more else ''}: "
            f"{self.kind} {self.name!r} of {', '.join(self.samples)} has the uncertainty "
            f"{self.error[first]:.4g} of a yield of {self.total[first]:.4g}"
        )


def find_groups(workspace: Mapping[str, Any]) -> list[ModifierGroup]:
    """List what ``staterror`` and ``shapesys`` multiply, in the order of the workspace."""
    found: dict[tuple[str, str, str], list[tuple[str, Array, Array]]] = {}
    negligible: dict[str, Array] = {}
    for channel in workspace["channels"]:
        expected = np.sum([sample["data"] for sample in channel["samples"]], axis=0, dtype=float)
        negligible[channel["name"]] = NEGLIGIBLE * np.sqrt(np.maximum(expected, 0.0))
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                if modifier["type"] in BIN_MODIFIERS:
                    key = (modifier["type"], modifier["name"], channel["name"])
                    yields = np.asarray(sample["data"], dtype=np.float64)
                    error = np.asarray(modifier["data"], dtype=np.float64)
                    found.setdefault(key, []).append((sample["name"], yields, error))
    return [
        ModifierGroup(
            *key,
            samples=tuple(name for name, _, _ in members),
            total=np.asarray(sum(yields for _, yields, _ in members)),
            negative=np.asarray(sum(np.minimum(yields, 0.0) for _, yields, _ in members)),
            error=np.sqrt(sum(np.square(error) for _, _, error in members)),
            negligible=negligible[key[2]],
        )
        for key, members in found.items()
    ]


def list_uncounted(groups: Sequence[ModifierGroup]) -> Iterator[str]:
    """Say which uncertainties no factor can hold, and what to do."""
    for group in groups:
        if group.uncounted.any():
            yield (
                f"{group.describe(group.uncounted)}: a factor cannot hold it "
                "(give it as a histosys of its own for each bin, or merge the bin)"
            )


def list_restored(groups: Sequence[ModifierGroup]) -> Iterator[str]:
    """Say which uncertainties are counted here and nowhere in pyhf."""
    for group in groups:
        if group.restored.any():
            yield f"{group.describe(group.restored)}: it is counted here, pyhf leaves it out"


@dataclass(frozen=True)
class Constraints:
    """Auxiliary measurements and ranges of the parameters; one entry each, in pyhf's order.

    Attributes
    ----------
    sigma
        Standard deviation of the auxiliary measurement, zero without one.
    factor
        Counts per unit of a parameter with a Poisson measurement, zero for the others.
    fixed
        Parameters held constant.
    lower, upper
        Bounds.
    """

    sigma: Array
    factor: Array
    fixed: Mask
    lower: Array
    upper: Array


def read_constraints(config: Any) -> tuple[npt.NDArray[np.intp], Constraints]:
    """Give the parameter of each auxiliary measurement, and what pyhf knows of all parameters."""
    indices: list[int] = []
    sigma, factor = np.zeros((2, config.npars))
    for name in config.auxdata_order:
        parameter = config.param_set(name)
        position = config.par_slice(name)
        indices += range(position.start, position.stop)
        if parameter.pdf_type == "poisson":
            factor[position] = parameter.factors
        sigma[position] = parameter.width()
    bounds = np.asarray(config.suggested_bounds(), dtype=np.float64)
    return np.asarray(indices, dtype=np.intp), Constraints(
        sigma=sigma,
        factor=factor,
        fixed=np.asarray(config.suggested_fixed(), dtype=np.bool_),
        lower=bounds[:, 0],
        upper=bounds[:, 1],
    )


def restore(
    groups: Sequence[ModifierGroup],
    config: Any,
    settings: Mapping[str, Mapping[str, Any]],
    known: Constraints,
) -> Constraints:
    """Count the uncertainties of negative yields.

    Parameters
    ----------
    groups
        As :func:`find_groups` gives them.
    config
        ``config`` of the pyhf model.
    settings
        Parameter → its entry in the measurement; what is set there stays.
    known
        What pyhf says.

    Returns
    -------
    Constraints
        New arrays; those of `known` where nothing is negative.
    """
    sigma, factor, fixed = known.sigma.copy(), known.factor.copy(), known.fixed.copy()
    lower, upper = known.lower.copy(), known.upper.copy()
    for group in groups:
        mine = settings.get(group.name, {})
        first = config.par_slice(group.name).start
        width = group.width
        for i in np.flatnonzero(group.held):
            sigma[first + i], fixed[first + i] = 1.0, True
        for i in np.flatnonzero(group.restored):
            sigma[first + i] = width[i]
            fixed[first + i] = bool(mine.get("fixed", False))
            if group.kind == "shapesys":
                factor[first + i] = width[i] ** -2
        if group.kind == "staterror" and "bounds" not in mine:
            signed = (group.width > 0.0) & (group.negative < 0.0) & ~group.uncounted
            for i in np.flatnonzero(signed):
                lower[first + i] = min(lower[first + i], 1.0 - FREE_SIGMAS * width[i])
                upper[first + i] = max(upper[first + i], 1.0 + FREE_SIGMAS * width[i])
    return Constraints(sigma, factor, fixed, lower, upper)
