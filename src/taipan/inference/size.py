"""How much memory a fit takes, and which workspaces are too large for it.

The Hessian is a dense matrix of all parameters, and one uncertainty per bin is one parameter for
each bin. So memory grows with the square of the number of parameters; without parameters per bin
it is proportional to the number of bins. The factors below are peak memory measured with
``benchmarks/fit_memory.py``, rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taipan.inference.errors import FitError

GIB = 1024**3
LARGEST_MEMORY = 4 * GIB
"""Bytes that a model and one fit of it may take, by the estimate."""

_PER_BIN = ("staterror", "shapesys", "shapefactor")
# bytes for each ...
_MODIFIER_IN_BIN = 160  # modifier name × sample × bin: pyhf's dense tensors while it builds them
_SLOPE_OF_ENTRY = 80  # interpolating parameter × yield: ten arrays of derivatives
_SLOPE_OF_BIN = 32  # parameter × bin: derivatives of the total yields and their weighted copies
_PAIR = 130  # parameter × parameter: Hessian, its inverse, and the correlation as text
_FIT_OF_MANY = 24  # fit × parameter: start, estimates and what is held


@dataclass(frozen=True)
class Size:
    """Size of a workspace.

    Attributes
    ----------
    bins, samples, entries
        Bins of all regions, different samples, and yields (a sample in a bin).
    modifiers
        Different modifiers, by type and name.
    interpolated
        Different parameters of ``normsys`` and ``histosys``.
    parameters
        All parameters, with one for each bin of ``staterror``, ``shapesys`` and ``shapefactor``.
    """

    bins: int
    samples: int
    entries: int
    modifiers: int
    interpolated: int
    parameters: int

    @property
    def memory(self) -> int:
        """Estimated peak of a fit in bytes."""
        return (
            _MODIFIER_IN_BIN * self.modifiers * self.samples * self.bins
            + _SLOPE_OF_ENTRY * self.interpolated * self.entries
            + _SLOPE_OF_BIN * self.parameters * self.bins
            + _PAIR * self.parameters**2
        )


def measure_size(workspace: Mapping[str, Any]) -> Size:
    """Count bins, samples, modifiers and parameters of a workspace that follows the schema."""
    parameters: dict[str, int] = {}
    modifiers: set[tuple[str, str]] = set()
    samples: set[str] = set()
    bins = entries = 0
    for channel in workspace["channels"]:
        length = len(channel["samples"][0]["data"])
        bins += length
        entries += length * len(channel["samples"])
        for sample in channel["samples"]:
            samples.add(sample["name"])
            for modifier in sample["modifiers"]:
                modifiers.add((modifier["type"], modifier["name"]))
                parameters[modifier["name"]] = length if modifier["type"] in _PER_BIN else 1
    interpolated = {name for kind, name in modifiers if kind in ("normsys", "histosys")}
    return Size(
        bins=bins,
        samples=len(samples),
        entries=entries,
        modifiers=len(modifiers),
        interpolated=len(interpolated),
        parameters=sum(parameters.values()),
    )


def check_size(workspace: Mapping[str, Any]) -> None:
    """Refuse a workspace whose fit would take more than `LARGEST_MEMORY`.

    Raises
    ------
    FitError
        Names bins and parameters, the estimate and the limit.
    """
    size = measure_size(workspace)
    if size.memory > LARGEST_MEMORY:
        raise FitError(
            f"workspace: {size.bins} bins, {size.samples} samples, {size.modifiers} modifiers and "
            f"{size.parameters} parameters take about {size.memory / GIB:.1f} GiB (at most "
            f"{LARGEST_MEMORY / GIB:g} GiB, about {_largest_number()} parameters of one bin each); "
            "merge bins, or leave out staterror or shapesys where it is small"
        )


def check_fits(option: str, fits: int, parameters: int) -> None:
    """Refuse so many fits that their starting points and estimates fill the memory.

    Raises
    ------
    FitError
        Names the option, the fits, the estimate and the limit.
    """
    memory = _FIT_OF_MANY * fits * parameters
    if memory > LARGEST_MEMORY:
        raise FitError(
            f"{option}: {fits} fits of {parameters} parameters take about {memory / GIB:.1f} GiB "
            f"(at most {LARGEST_MEMORY / GIB:g} GiB, {LARGEST_MEMORY // _FIT_OF_MANY // parameters}"
            " fits)"
        )


def _largest_number() -> int:
    """Give how many parameters of one bin each a fit can hold, in hundreds."""
    number = (LARGEST_MEMORY / (_SLOPE_OF_BIN + _PAIR)) ** 0.5
    return int(number / 100) * 100
