"""The Python files of the shipped analysis, as tests use them."""

from __future__ import annotations

from taipan.analysis_folder import import_part, shipped_folder

SELECTION = import_part(shipped_folder("htautau"), "selection")
ANALYSIS = SELECTION.ANALYSIS
TAU_MODES = SELECTION.TAU_MODES
