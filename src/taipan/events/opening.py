"""The analysis as every stage that reads events needs it."""

from __future__ import annotations

from collections.abc import Mapping

from taipan.analysis import Analysis
from taipan.analysis_selection import load_analysis
from taipan.config.model import Config
from taipan.events.corrected import add_corrections
from taipan.systematics.base import Systematic


def open_analysis(config: Config, systematics: Mapping[str, Systematic] | None = None) -> Analysis:
    """Import the selection of an analysis, and add derived quantities and corrections.

    Parameters
    ----------
    config
        Sections `folder`, `quantities` and `corrections`; with corrections `samples` and `regions`.
    systematics
        Those whose alternative datasets are read.

    Raises
    ------
    TaipanError
        If the selection cannot be imported, or a quantity or correction is not valid.
    """
    return add_corrections(load_analysis(config.folder, config.quantities), config, systematics)
