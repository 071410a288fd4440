"""The deepest minimum of −ln L, looked for from several starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from taipan.inference.edges import find_empty_bin
from taipan.inference.errors import EmptyBinError, FitError, NegativeBinError, NoMinimumError
from taipan.inference.minimise import Minimum, minimise
from taipan.inference.model import CompiledModel, name_bin
from taipan.inference.stacked import Found, descend_many
from taipan.inference.starts import Shape, find_straight, list_starts

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# A fit whose −ln L is lower by this much is another minimum, not rounding.
DEEPER = 1e-6
# Floors of the expected yields that are tried in turn, in units of the model's.
FLOORS = (1.0, 1e-3, 1e-6, 1e-9)
# Events at which a bin without data is held first, where signal and background can cancel in it.
# The valley along λ = 0 is wide there, so that Newton's method can follow its turns.
GENTLE_FLOORS = (1e-1, 1e-3)
# Rounds of starts around ever deeper minima, before the fit is given up.
MAX_ROUNDS = 4


def find_minimum(
    model: CompiledModel,
    data: Array,
    *,
    start: Array | None = None,
    fixed: Mapping[int, float] | None = None,
) -> Minimum:
    """Minimise −ln L, without the covariance.

    Parameters
    ----------
    model, data, start, fixed
        As in :func:`taipan.inference.fit.fit`.

    Returns
    -------
    Minimum
        The deepest minimum.

    Raises
    ------
    EmptyBinError
        If every start ends where nothing is predicted for a bin with data.
    FitError
        If the data are unusable, no minimum is found, or the starts disagree which is deepest.
    """
    minimum, _ = find_minima(model, data, start, fixed)
    return minimum


def find_minima(
    model: CompiledModel, data: Array, start: Array | None, fixed: Mapping[int, float] | None
) -> tuple[Minimum, Array]:
    """Give the deepest minimum, and the parameters ``(k, n)`` at which the starts have found it.

    A second start confirms the first. Where the model may have several minima, or the two do not
    agree, further starts follow around the deepest minimum, until none finds a deeper one.

    Raises
    ------
    FitError
        As :func:`find_minimum`.
    """
    _check_data(model, data)
    parameters = model.parameters
    values = (parameters.initial if start is None else start).copy()
    is_fixed = mark_fixed(model, fixed)
    values[is_fixed] = parameters.initial[is_fixed]
    for index, value in (fixed or {}).items():
        values[index] = value
    try:
        with threadpool_limits(1):  # the matrices are far too small to be shared out
            return _Search(model, data, is_fixed, values).run()
    except FitError as error:
        held = ", ".join(f"{parameters.names[i]} = {v:.4g}" for i, v in (fixed or {}).items())
        kind = type(error) if isinstance(error, EmptyBinError) else FitError
        raise kind(f"fit{' with ' + held if held else ''}: {error}") from error


def mark_fixed(model: CompiledModel, fixed: Mapping[int, float] | None) -> Mask:
    """Tell which parameters a fit keeps."""
    is_fixed = model.parameters.fixed.copy()
    is_fixed[list(fixed or {})] = True
    return is_fixed


class _Search:
    """Starts from several points, until the deepest minimum is confirmed."""

    def __init__(self, model: CompiledModel, data: Array, is_fixed: Mask, first: Array) -> None:
        self.model, self.data, self.is_fixed, self.first = model, data, is_fixed, first
        self.errors: list[FitError] = []
        self.measured = _read_auxiliary(model, data)
        empty = data[: model.n_bins] == 0.0
        self.may_cancel = bool(model.shape.may_vanish and empty.any())

    def run(self) -> tuple[Minimum, Array]:
        best = self._descend(self.first)
        tried = 1
        for _ in range(MAX_ROUNDS):
            shape = self._shape(best)
            starts = self._starts(self.first if best is None else best.values, shape)
            if best is not None and shape.is_simple:
                starts = starts[:1]  # the second one confirms the first
            tried += len(starts)
            found = self._descend_all(starts)
            good = np.flatnonzero(found.converged)
            nllr = found.nllr[good]
            if best is not None and (not len(good) or nllr.min() >= best.nll - DEEPER):
                if (deeper := self._refine(found, best)) is not None:
                    best = deeper
                    continue
                same = found.values[good[nllr <= best.nll + DEEPER]]
                return self._confirmed(best, same, tried)
            deepest = found.values[good[np.argmin(nllr)]] if len(good) else None
            candidates = starts if deepest is None else [deepest]
            best = next((m for s in candidates if (m := self._descend(s)) is not None), best)
            if best is None:
                raise self.errors[0]
        raise FitError(f"the starts disagree: -ln L still falls after {tried} of them")

    def _descend_all(self, starts: Array) -> Found:
        """Descend from all starts.

        Where bins may come to nothing, what is found with them held gently is a start, too: from
        there Newton's method has little left of the narrow valley in which it would be lost.
        """
        model = self.model
        data, held = self._repeat(starts)
        if self.may_cancel:
            ends = starts
            for gentle in _make_gentle(model, self.data):
                ends = descend_many(gentle, data, ends, held, sigma=False).values
            starts = np.concatenate([starts, ends[np.asarray(np.isfinite(ends)).all(axis=1)]])
            data, held = self._repeat(starts)
        return descend_many(model, data, starts, held, sigma=False)

    def _repeat(self, starts: Array) -> tuple[Array, Mask]:
        data = np.broadcast_to(self.data, (len(starts), len(self.data)))
        return data, np.broadcast_to(self.is_fixed, starts.shape)

    def _refine(self, found: Found, best: Minimum) -> Minimum | None:
        """Lower the floor where it has led starts to less than the deepest minimum so far.

        With the floor −ln L is at most what it is without, so no other start can end deeper.
        """
        below = ~found.converged & (found.nllr < best.nll - DEEPER)
        ends = found.values[below][np.argsort(found.nllr[below])]
        minima = [minimum for end in ends if (minimum := self._descend(end)) is not None]
        lowest = min(minima, key=lambda minimum: minimum.nll, default=best)
        return lowest if lowest.nll < best.nll - DEEPER else None

    def _confirmed(self, best: Minimum, same: Array, tried: int) -> tuple[Minimum, Array]:
        free = ~self.is_fixed
        if not len(same) and free.any() and self._confirm_alone(best) is None:
            raise FitError(
                f"the starts disagree: one of {tried} ends at -ln L = {best.nll:.6g} above the "
                "saturated model, and no other confirms it"
            )
        return best, np.concatenate([best.values[None], same])

    def _confirm_alone(self, best: Minimum) -> Minimum | None:
        """Try the starts one by one, with all that a single fit does to converge."""
        for start in self._starts(best.values, self.model.shape):
            other = self._descend(start)
            if other is not None and abs(other.nll - best.nll) <= DEEPER:
                return other
        return None

    def _shape(self, best: Minimum | None) -> Shape:
        """Give what is known of the minima; a model bent a little may be simple for these data."""
        model, shape = self.model, self.model.shape
        if best is None or shape.may_vanish or len(shape.bent) == shape.strongly:
            return shape
        parameters, counts = model.parameters, self.data[: model.n_bins]
        straight = find_straight(
            model.hessians, best.values[None], parameters.initial, parameters.sigma, counts[None]
        )
        return replace(shape, bent=shape.bent[: shape.strongly]) if straight[0] else shape

    def _starts(self, centre: Array, shape: Shape) -> Array:
        parameters = self.model.parameters
        points = list_starts(
            centre,
            self.measured,
            parameters.sigma,
            parameters.constrained,
            self.model.poi,
            shape,
        )
        clipped = np.clip(np.stack(list(points)), parameters.lower, parameters.upper)
        return np.where(self.is_fixed, self.first, clipped)

    def _descend(self, start: Array) -> Minimum | None:
        try:
            return _descend(self.model, self.data, start, self.is_fixed)
        except (NoMinimumError, NegativeBinError) as error:
            if self.may_cancel and (found := self._follow_valley(start)) is not None:
                return found
            self.errors.append(error)
        except FitError as error:
            self.errors.append(error)
        return None

    def _follow_valley(self, start: Array) -> Minimum | None:
        """Descend along bins that come to nothing, held there gently at first."""
        for gentle in _make_gentle(self.model, self.data):
            try:
                start = _minimise(gentle, self.data, start, self.is_fixed).values
            except NoMinimumError as error:
                start = error.values
        try:
            return _descend(self.model, self.data, start, self.is_fixed)
        except FitError:
            return None


def _descend(model: CompiledModel, data: Array, start: Array, is_fixed: Mask) -> Minimum:
    """Minimise from one point; the floor of the yields is lowered until it plays no part."""
    problem: FitError = EmptyBinError()
    for factor in FLOORS:
        lowered = replace(model, floor=factor * model.floor)
        try:
            values = (minimum := _minimise(lowered, data, start, is_fixed)).values
        except NoMinimumError as error:
            raise find_empty_bin(lowered, error.values, data) or error from error
        found = find_empty_bin(lowered, values, data)
        if found is None:
            return minimum
        start, problem = values, found
    raise problem


def _read_auxiliary(model: CompiledModel, data: Array) -> Array:
    """Give the nominal parameters, the constrained ones where their measurements are."""
    values = model.parameters.initial.copy()
    factors = np.where(model.auxiliary_factor > 0, model.auxiliary_factor, 1.0)
    values[model.auxiliary] = model.split_auxiliary(data)[0] / factors
    return values


def _make_gentle(model: CompiledModel, data: Array) -> Iterator[CompiledModel]:
    empty = data[: model.n_bins] == 0.0
    for floor in GENTLE_FLOORS:
        yield replace(model, floor=np.where(empty, floor, model.floor), largest_floor=floor)


def _minimise(model: CompiledModel, data: Array, start: Array, is_fixed: Mask) -> Minimum:
    return minimise(
        lambda point: model.evaluate(point, data),
        start,
        model.parameters.lower,
        model.parameters.upper,
        is_fixed,
        events=float(data[: model.n_bins].sum()),
    )


def _check_data(model: CompiledModel, data: Array) -> None:
    size = len(model.observed)
    if data.shape not in ((size,), (size + len(model.auxiliary),)):
        raise FitError(f"data has shape {data.shape}, the model needs {model.observed.shape}")
    if not np.isfinite(data).all():
        raise FitError(f"data entry {int(np.argmin(np.isfinite(data)))} is not finite")
    counts = data[: model.n_bins]
    if (counts < 0).any():
        position = int(np.argmin(counts))
        where = name_bin(model.regions, position)
        raise FitError(f"data of {where} is negative ({counts[position]:.4g})")
