"""The calibrated interval in the summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from taipan.coverage.calibrate import IntervalCalibration
from taipan.coverage.score import LEVELS


def calibrate_fit(record: Mapping[str, Any], fit: Mapping[str, Any]) -> dict[str, Any]:
    """Calibrate the intervals of a fit.

    Parameters
    ----------
    record
        File of the rule ``calibrate_intervals``.
    fit
        Result of the fit, with `expected` and `observed` (None while blinded).

    Returns
    -------
    dict
        `level`, `experiments` and `span` of the calibration; `expected` and `observed`: ends of the
        calibrated interval, [low, high]; `coverage` of the pseudo-experiments `as_fitted` and
        `calibrated`.
    """
    calibration = IntervalCalibration.from_dict(record)
    judged = {name: record["judged"][name]["coverage"] for name in ("as_fitted", "calibrated")}
    return {
        "level": LEVELS[0],
        "experiments": calibration.experiments,
        "span": list(calibration.span),
        **{kind: _calibrate(calibration, fit[kind]) for kind in ("expected", "observed")},
        "coverage": judged,
    }


def _calibrate(
    calibration: IntervalCalibration, result: Mapping[str, Any] | None
) -> list[float] | None:
    if result is None:
        return None
    low, high = result["interval"]
    ends = calibration.apply(*(np.array([value]) for value in (result["mu_hat"], low, high)))
    return [float(end[0]) for end in ends]


def list_calibrated(found: Mapping[str, Any], kinds: Mapping[str, str], decimals: int) -> list[str]:
    """Write lines about calibrated intervals.

    Parameters
    ----------
    found
        Of :func:`calibrate_fit`.
    kinds
        `expected` and `observed` → how they are called.
    decimals
        Of the ends.
    """
    level = f"{100 * found['level']:.2f} %"
    lines = []
    for kind, shown in kinds.items():
        ends = found[kind]
        text = "blinded" if ends is None else f"[{ends[0]:.{decimals}f}, {ends[1]:.{decimals}f}]"
        lines.append(f"- {level} interval, {shown}: {text}")
    before, after = (100 * found["coverage"][name] for name in ("as_fitted", "calibrated"))
    n = found["experiments"]
    error = 100 * (found["level"] * (1.0 - found["level"]) / n) ** 0.5
    low, high = found["span"]
    lines.append(
        f"- Of {n} pseudo-experiments with true values from {low:.3g} to {high:.3g}, "
        f"{before:.1f} % of the intervals held the truth as fitted, {after:.1f} % calibrated "
        f"(promised: {level} ± {error:.1f} %)."
    )
    return lines
