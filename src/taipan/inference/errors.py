"""Errors of the inference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taipan.errors import TaipanError


class FitError(TaipanError):
    """A fit that did not converge, or whose result has no meaning."""


class EmptyBinError(FitError):
    """−ln L is infinite: nothing is predicted for a bin with data. The message says which."""


class NegativeBinError(EmptyBinError):
    """A bin without data would be predicted less than nothing. The message says which."""


class NoMinimumError(FitError):
    """The minimiser did not converge.

    Attributes
    ----------
    values
        Parameters at which it gave up.
    """

    def __init__(self, message: str, values: npt.NDArray[np.float64]) -> None:
        super().__init__(message)
        self.values = values


class UnreachedError(FitError):
    """The likelihood stays too flat for a limit, however large the signal strength."""
