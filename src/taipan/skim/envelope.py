"""How far thresholds are loosened in the skim, so that no variation lacks events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from taipan.analysis import Shift
from taipan.systematics.base import Systematic

DEVIATIONS = 2.0
"""Pseudo-experiments vary the sizes too; beyond two standard deviations few of them lie."""


def derive_envelope(
    chosen: Mapping[str, float],
    shifts: Mapping[str, Shift],
    systematics: Iterable[Systematic],
) -> dict[str, float]:
    """Complete what a configuration says about the loosening of thresholds.

    Parameters
    ----------
    chosen
        ``skim.envelope``.
    shifts
        Those of the analysis.
    systematics
        Those of the configuration, with the sizes of the shifts.

    Returns
    -------
    dict
        Key of a threshold → relative loosening: as chosen, otherwise twice the largest size that
        a systematic gives to one of its shifts, and 0 if there is none.
    """
    found = {shift.envelope: 0.0 for shift in shifts.values() if shift.envelope is not None}
    for item in systematics:
        shift, size = shifts.get(str(getattr(item, "shift", ""))), getattr(item, "size", None)
        key = None if shift is None else shift.envelope
        if key is not None and size is not None:
            found[key] = max(found[key], DEVIATIONS * size)
    return {key: chosen.get(key, min(value, 0.99)) for key, value in sorted(found.items())}
