"""Where else a minimum of −ln L may lie.

A variation whose up and down templates lie on the same side of the nominal one, and templates that
become negative, give −ln L more than one minimum. The models in which this can happen are told
from the yields alone, and their fits start from several points.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taipan.inference.hessian import Hessians
from taipan.inference.histfactory import Yields

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

# A variation is bent if what up and down have in common, c in each bin, is larger than this in
# units of the Poisson error: q = √(Σ c²/λ). The Hessian along it is at least 1 - 1.9·r·q, with r
# the length of the residuals in standard deviations, so for r < 5 it stays positive below.
BENT = 0.1
# Below this q a variation moves the residuals by less than 0.25 standard deviations at 2σ: the two
# minima see nearly the same ones. So those at one minimum tell whether there can be another: the
# Hessian has to stay positive, by far, with the bend that they see.
STRONGLY_BENT = 0.25
LEAST_BEND = -0.3
# A rate may vanish if a variation of 3σ takes it below this part of itself.
LEAST_PART = 0.05
FAR = 3.0
# Beyond that a signal that is far too large for the data may still be pulled to nothing: a minimum
# of its own, near the bounds of pyhf's parameters at 5σ.
WIDE = 5.0
# Pull at which such a minimum is looked for.
WIDE_PULL = 4.0
# Pull at which the other minimum is looked for, and how many bent variations are combined.
PULL = 1.5
COMBINED = 3


@dataclass(frozen=True)
class Shape:
    """What is known of the minima of a model.

    Attributes
    ----------
    bent
        Parameters that can have a minimum on either side, the most bent first.
    strongly
        How many of them are bent so much that this is judged without the data.
    may_vanish
        A rate comes near zero within 3σ of a parameter, or a template has a negative bin.
    vanishing
        Parameters, and the side of each, that take a rate near zero within 5σ.
    """

    bent: tuple[int, ...] = ()
    strongly: int = 0
    may_vanish: bool = False
    vanishing: tuple[tuple[int, float], ...] = ()

    @property
    def is_nearly_straight(self) -> bool:
        """True if the data decide whether there can be a second minimum."""
        decided = self.strongly > 0 or self.may_vanish or bool(self.vanishing)
        return bool(self.bent) and not decided

    @property
    def is_simple(self) -> bool:
        """True if no second minimum is to be expected."""
        return not self.bent and not self.may_vanish and not self.vanishing


def judge_shape(yields: Yields, initial: Array, sigma: Array, lower: Array, poi: int) -> Shape:
    """Tell whether −ln L may have several minima.

    Parameters
    ----------
    yields
        The expected yields as a function of the parameters.
    initial, sigma, lower
        Nominal values, constraints (0 without one) and lower bounds of the parameters, ``(n,)``.
    poi
        Index of the parameter of interest; the yields are looked at for its nominal value and
        without signal.

    Returns
    -------
    Shape
        Parameters with two possible sides, and whether a bin can be empty.
    """
    scale = sigma[yields.alphas]
    pulls = np.array([-WIDE, -FAR, -1.0, 0.0, 1.0, FAR, WIDE])
    direct = (
        (sigma > 0.0)
        & (initial - FAR * sigma <= lower + 1e-6)
        & np.isin(np.arange(len(initial)), yields.directs)
    )
    may_vanish = bool(direct.any() or (yields.nominal < 0.0).any() or yields.has_negative())
    bend = np.zeros(len(yields.alphas))
    wide = np.zeros((2, len(yields.alphas)), dtype=np.bool_)
    for strength in (initial[poi], max(0.0, lower[poi])):
        values = initial.copy()
        values[poi] = strength
        moved = yields.move_alone(values, pulls)
        if not len(moved):
            break
        wide_down, far_down, down, here, up, far_up, wide_up = np.moveaxis(moved, 1, 0)
        rate = np.maximum(here, 1e-3)
        found = np.sqrt(((up + down - 2.0 * here) ** 2 / rate).sum(axis=1))
        bend = np.maximum(bend, np.where(scale > 0.0, found, 0.0))
        lowest = np.minimum(np.minimum(far_down, far_up), np.minimum(down, up))
        may_vanish |= bool((lowest < LEAST_PART * here).any())
        for side, rates in zip(wide, (wide_down, wide_up), strict=True):
            side |= (scale > 0.0) & (rates < LEAST_PART * here).any(axis=1)
    for side, pull in zip(wide, (-WIDE, WIDE), strict=True):
        side |= (scale > 0.0) & _lose_signal(yields, initial, poi, pull)
    order = np.argsort(-bend, kind="stable")
    return Shape(
        bent=tuple(int(yields.alphas[i]) for i in order if bend[i] > BENT),
        strongly=int((bend > STRONGLY_BENT).sum()),
        may_vanish=may_vanish,
        vanishing=tuple(
            (int(yields.alphas[i]), sign)
            for sign, side in zip((-1.0, 1.0), wide, strict=True)
            for i in np.flatnonzero(side)
        ),
    )


def _lose_signal(yields: Yields, initial: Array, poi: int, pull: float) -> Mask:
    """Tell which parameters take nearly all of a signal away, whatever the background is."""
    rates = []
    for strength in (0.0, 1.0):
        values = initial.copy()
        values[poi] = strength
        rates.append(yields.move_alone(values, np.array([0.0, pull])).sum(axis=2))
    if not len(rates[0]):
        return np.zeros(0, dtype=np.bool_)
    nominal, moved = np.moveaxis(rates[1] - rates[0], 1, 0)
    return np.asarray(moved < LEAST_PART * nominal)


def find_straight(
    hessians: Hessians, values: Array, initial: Array, sigma: Array, counts: Array
) -> Mask:
    """Tell for which minima the residuals leave no room for another one, shape ``(T,)``.

    −ln L bends along the interpolating parameters by Σ(1 - n/λ)·d²λ. It is looked at where the
    interpolation is bent most, at the nominal values.

    Parameters
    ----------
    hessians
        Second derivatives of the yields.
    initial, sigma
        As for :func:`judge_shape`.
    values
        Parameters at the minima, shape ``(T, n)``.
    counts
        Events in each bin, shape ``(T, B)``.
    """
    yields = hessians.yields
    alphas = yields.alphas
    centre = values.copy()
    centre[:, alphas] = initial[alphas]
    rates = yields.total(values)
    positive = (rates > 0.0).all(axis=1)
    weights = 1.0 - counts / np.where(rates > 0.0, rates, 1.0)
    unit = np.outer(sigma[alphas], sigma[alphas])
    straight = np.zeros(len(values), dtype=np.bool_)
    for row in np.flatnonzero(positive):
        bend = hessians.bend(centre[row], weights[row])
        straight[row] = bend is not None and _is_above(LEAST_BEND, unit * bend)
    return straight


def _is_above(least: float, matrix: Array) -> bool:
    """Tell whether all eigenvalues of a symmetric matrix are above a number."""
    if not np.isfinite(matrix).all():
        return False
    try:
        np.linalg.cholesky(matrix - least * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return False
    return True


def mirror_pulls(values: Array, initial: Array, constrained: Mask) -> Array:
    """Give every constrained parameter the opposite pull."""
    return np.where(constrained, 2.0 * initial - values, values)


def list_starts(
    values: Array, initial: Array, sigma: Array, constrained: Mask, poi: int, shape: Shape
) -> Iterator[Array]:
    """Give further starting points around a minimum at `values`.

    First the opposite pulls, then nominal nuisance parameters. If the model is not simple, the
    most bent variations at ±1.5σ in all combinations follow, and the others one at a time; then the
    variations that take a rate to nothing, far on that side.

    Parameters
    ----------
    values
        The minimum, shape ``(n,)``.
    initial
        Nominal values, or those that the auxiliary measurements say, shape ``(n,)``.
    sigma, constrained
        Constraints, shape ``(n,)``.
    poi
        Index of the parameter of interest.
    shape
        Of the model.
    """
    yield mirror_pulls(values, initial, constrained)
    nominal = initial.copy()
    nominal[poi] = values[poi]
    yield nominal
    if shape.is_simple:
        return
    first = list(shape.bent[:COMBINED])
    for signs in itertools.product((PULL, -PULL), repeat=len(first)):
        point = values.copy()
        point[first] = initial[first] + np.array(signs) * sigma[first]
        yield point
    for index in shape.bent[COMBINED:]:
        for pull in (PULL, -PULL):
            point = values.copy()
            point[index] = initial[index] + pull * sigma[index]
            yield point
    for index, side in shape.vanishing:
        point = values.copy()
        point[index] = initial[index] + side * WIDE_PULL * sigma[index]
        yield point
