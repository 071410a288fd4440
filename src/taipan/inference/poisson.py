"""−ln of Poisson probabilities, relative to a rate that equals the count.

The terms vanish at the data, so their rounding errors do not grow with the counts: 10⁹ events in a
bin are as exact as ten. Twice their sum is the distance to the saturated model (S. Baker and R. D.
Cousins, Nucl. Instrum. Meth. 221 (1984) 437).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, xlogy

Array = npt.NDArray[np.float64]

# A bin without data is held at zero to within some of these events.
LARGEST_FLOOR = 1e-6
# It may be predicted less than nothing by this many events: far below any effect.
SLACK = 1e-8


def poisson_terms(
    counts: Array, rates: Array, floor: Array, largest: float = LARGEST_FLOOR
) -> tuple[Array, Array, Array]:
    """Give λ − n + n·ln(n/λ) of each count n, and two derivatives by the rate λ.

    Negative templates or a negative signal strength can make a rate negative, where no Poisson
    density exists. Below `floor` the terms are continued by a steep parabola, so that they stay
    finite and smooth, and a minimiser that strays there is led back. What is found below the floor
    is not a minimum of the likelihood; the caller has to look.

    Parameters
    ----------
    counts, rates, floor
        Arrays that broadcast to one shape. `floor` is positive; −∞ in a bin without data stands for
        the term itself, whatever the sign of the rate.
    largest
        Largest floor of a bin without data. A large one is a gentle slope to a minimum at λ = 0.

    Returns
    -------
    terms, slope, curvature
        The values and their first and second derivatives by the rate.
    """
    seen = counts > 0.0
    least = np.where(seen, floor, np.minimum(floor, largest))
    safe = np.maximum(rates, least)
    slope = np.where(seen, (safe - counts) / np.where(seen, safe, 1.0), 1.0)
    # without data the term is λ itself: the parabola holds λ = 0 with the force of one event
    curvature = np.where(
        seen, counts / np.where(seen, safe, 1.0) ** 2, np.where(rates < least, 1.0 / least, 0.0)
    )
    below = np.minimum(rates - least, 0.0)
    terms = _ratio(counts, safe) + below * (slope + 0.5 * below * curvature)
    return terms, slope + below * curvature, curvature


def saturated_terms(counts: Array) -> Array:
    """Give −ln of the Poisson probability of counts that are predicted exactly."""
    return np.asarray(counts - xlogy(counts, counts) + gammaln(counts + 1.0))


def _ratio(counts: Array, rates: Array) -> Array:
    """λ − n + n·ln(n/λ); both forms are exact where they are used."""
    safe = np.where(counts > 0.0, counts, 1.0)
    apart = (rates - counts) / safe
    near = np.abs(apart) < 0.5
    close = safe * (apart - np.log1p(np.where(near, apart, 0.0)))
    far = rates - counts - xlogy(counts, rates / safe)
    return np.where(near & (counts > 0.0), close, far)
