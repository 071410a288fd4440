"""The statistical parameters of the bins: what they are called, and what is counted in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taipan.likelihood.table import TemplatePair

Array = npt.NDArray[np.float64]


def name_statistics(region: str, *, is_signal: bool) -> str:
    """Name the statistical parameters of the bins of a region.

    Signals have their own: one factor for all samples would let the statistical uncertainty of the
    background scale the signal, and 1/γ has a mean above 1, which biases μ upwards.
    """
    return f"staterror_{region}{'_signals' if is_signal else ''}"


def shift_variances(variation: TemplatePair) -> Array | float:
    """Give the variance that the noise of a shift adds to the content of each bin.

    A template at the value θ of a systematic is off by θ times the error of its shift. The average
    of θ² is 1, half of it from either side.

    Parameters
    ----------
    variation
        Templates at ±1σ as they enter the model, with the covariances of their noise.

    Returns
    -------
    ndarray
        Shape ``(n_bins,)``; 0 where the noise is not known.
    """
    if variation.errors is None:
        return 0.0
    return np.asarray(0.5 * np.einsum("kii->i", variation.errors))
