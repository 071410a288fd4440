"""Events as the fit sees them: yields, and how each parameter of the fit changes them.

Around the nominal parameters the expected yield of a bin is linear in them. An event in a bin
adds its weight to the yield, and its slopes to the derivatives of the yield. An energy scale moves
events: the shifted event adds its slope where it is then, and takes it away from where it was. So
up and down belong to the same event, and what they have in common cancels, with its noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.nn.data import Split, split_folds

FloatArray = NDArray[np.float64]

FEWEST_EFFECTIVE = 10.0
"""Effective events, (Σw)²/Σw², that a bin of the loss needs on average."""


@dataclass(frozen=True)
class InputRows:
    """Inputs of the network, one row an event at one place.

    Attributes
    ----------
    features
        Shape (n, f), float32, in the units of the analysis.
    folds, identifiers
        Shape (n,): fold and identity of the event.
    groups
        Shape (n,), number of the group (sample and origin) that is scaled to its full yield.
    """

    features: NDArray[np.float32]
    folds: NDArray[np.integer[Any]]
    identifiers: NDArray[np.uint64]
    groups: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        """Give the number of rows."""
        return len(self.folds)

    def take(self, chosen: NDArray[Any]) -> InputRows:
        """Give the rows of a mask or of places, in that order."""
        names = ("features", "folds", "identifiers", "groups")
        return InputRows(**{name: getattr(self, name)[chosen] for name in names})


@dataclass(frozen=True)
class LinearEvents:
    """The linear model of the fit, event by event.

    Attributes
    ----------
    parameters
        The P parameters of the fit; the first is the one of interest.
    prior
        Shape (P,), inverse variance of each constraint; 0: free.
    nominal
        The n events of the region whose score is fitted.
    yields
        Shape (n,), expected events of each.
    variances
        Shape (n,), what each adds to the variance of a template: w².
    slopes
        Shape (n, P), d(yield)/d(parameter) at the place of the nominal event.
    is_signal
        Shape (n,), whether the event is of a signal sample.
    shifted
        The m rows of events that an energy scale or the like moves.
    moved_by, moved_slopes
        Shape (m,): number of the parameter, and d(yield)/d(parameter) at the shifted place.
    control_yields, control_variances, control_slopes
        Shape (c,), (c,), (c, P): other fitted regions, a single bin each.
    """

    parameters: tuple[str, ...]
    prior: FloatArray
    nominal: InputRows
    yields: FloatArray
    variances: FloatArray
    slopes: FloatArray
    is_signal: NDArray[np.bool_]
    shifted: InputRows
    moved_by: NDArray[np.integer[Any]]
    moved_slopes: FloatArray
    control_yields: FloatArray
    control_variances: FloatArray
    control_slopes: FloatArray

    def take(self, nominal: NDArray[np.bool_], shifted: NDArray[np.bool_]) -> LinearEvents:
        """Give a part of the events, scaled to the yields of all of them.

        A group is scaled with the inverse of its share of events. The variance is that of
        templates made of *all* events, so that it is scaled once and not with the square.

        Parameters
        ----------
        nominal, shifted
            Masks of the events and the shifted rows, shape (n,) and (m,).
        """
        count = int(self.nominal.groups.max(initial=-1)) + 1
        everything = np.bincount(self.nominal.groups, minlength=count)
        chosen = np.bincount(self.nominal.groups[nominal], minlength=count)
        scale = everything / np.maximum(chosen, 1)
        rows, moved = self.nominal.take(nominal), self.shifted.take(shifted)
        own, of_moved = scale[rows.groups], scale[moved.groups]
        return replace(
            self,
            nominal=rows,
            yields=self.yields[nominal] * own,
            variances=self.variances[nominal] * own,
            slopes=self.slopes[nominal] * own[:, None],
            is_signal=self.is_signal[nominal],
            shifted=moved,
            moved_by=self.moved_by[shifted],
            moved_slopes=self.moved_slopes[shifted] * of_moved,
        )

    def without_parameters(self) -> LinearEvents:
        """Give the model in which only the parameter of interest is not known."""
        none = np.zeros(len(self.shifted), dtype=bool)
        return replace(
            self,
            parameters=self.parameters[:1],
            prior=self.prior[:1],
            slopes=self.slopes[:, :1],
            shifted=self.shifted.take(none),
            moved_by=self.moved_by[none],
            moved_slopes=self.moved_slopes[none],
            control_slopes=self.control_slopes[:, :1],
        )

    def check_bins(self, bins: int, what: str) -> None:
        """Refuse more bins than the events can fill.

        Raises
        ------
        TaipanError
            If the background of a bin would have less than ten effective events on average.
        """
        background = self.yields[~self.is_signal]
        effective = float(background.sum() ** 2 / max((background**2).sum(), 1e-300))
        if not effective >= FEWEST_EFFECTIVE * bins:
            raise TaipanError(
                f"training.sensitivity.bins: {bins} bins for {effective:.3g} effective background "
                f"events of {what}; at least {FEWEST_EFFECTIVE:g} a bin are needed, so at most "
                f"{int(effective / FEWEST_EFFECTIVE)} bins"
            )


def split_events(
    events: LinearEvents, split: Split, folds: int
) -> tuple[LinearEvents, LinearEvents]:
    """Give the events that a network is trained on, and those that stop it.

    As for its other events: the fold that it is applied to is not looked at.

    Parameters
    ----------
    events
        All events.
    split
        Of the network; only fold and turn are used.
    folds
        Number of folds.
    """
    own = [
        split_folds(rows.folds, rows.identifiers, split.fold, folds, split.turn)
        for rows in (events.nominal, events.shifted)
    ]
    return (
        events.take(own[0].training, own[1].training),
        events.take(own[0].validation, own[1].validation),
    )
