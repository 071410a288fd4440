"""The selection of an analysis: the file ``selection.py`` of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan.analysis import Analysis
from taipan.analysis_folder import import_part
from taipan.columns.derived import add_quantities
from taipan.errors import TaipanError


def load_analysis(folder: str | Path, quantities: Mapping[str, Any] | None = None) -> Analysis:
    """Import the file ``selection.py`` of an analysis and return its ``ANALYSIS``.

    The caller has made sure that the user wants its code to be executed.

    Parameters
    ----------
    folder
        Folder of the analysis.
    quantities
        Further quantities, the section of the configuration; see
        :func:`taipan.columns.derived.add_quantities`.

    Raises
    ------
    TaipanError
        If the file cannot be imported or has no such attribute, or a quantity is not valid.
    """
    module = import_part(folder, "selection")
    found = getattr(module, "ANALYSIS", None)
    if not isinstance(found, Analysis):
        file = Path(folder, "selection.py")
        raise TaipanError(f"{file} has no attribute ANALYSIS of type Analysis")
    return add_quantities(found, quantities or {})
