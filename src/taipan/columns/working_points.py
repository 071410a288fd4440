"""Working points and trigger decisions as NanoAOD stores them; arrays are awkward arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def has_bits(mask: int) -> Callable[[Any], Any]:
    """Test a working point of a bit mask: ``values & mask`` is not zero."""
    return lambda values: (values & mask) != 0


def at_least(number: int) -> Callable[[Any], Any]:
    """Test a working point of an enumeration, loosest first: ``values >= number``."""
    return lambda values: values >= number


def any_of(first: Any, *others: Any) -> Any:
    """Logical or of trigger decisions: several paths with one purpose."""
    passed = first != 0
    for other in others:
        passed = passed | (other != 0)
    return passed
