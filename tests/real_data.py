"""Real data, which no repository holds: in the folder that TAIPAN_TEST_DATA names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "TAIPAN_TEST_DATA"


def real_data(name: str) -> tuple[Path, pytest.MarkDecorator]:
    """A folder of real data, and the mark of tests that need it.

    They are skipped where the variable is not set. Where it is, a file that is missing is a
    failure.
    """
    root = os.environ.get(VARIABLE, "")
    mark = pytest.mark.skipif(not root, reason=f"needs real data: set {VARIABLE} to their folder")
    return Path(root or "not-set") / name, mark
