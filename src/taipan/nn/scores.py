"""What a network is to whoever only uses its score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

Scorer = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
"""(features (n, f) float32, folds (n,)) → score (n,)."""
