"""Quantities written as expressions in the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.analysis_selection import load_analysis
from taipan.checks.configuration import check_config
from taipan.columns.derived import add_quantities
from taipan.config.load import load_catalogue, read_config
from taipan.config.sections.observables import DerivedQuantity
from taipan.errors import TaipanError
from taipan.skim.storage import read_events
from tests.htautau import ANALYSIS

ROOT = Path(__file__).parents[2]
OVERLAY = """
quantities:
  st: {expression: "pt_1 + pt_2 + met", unit: GeV, meaning: scalar sum of momenta}
  st_over_mass: "st / m_vis"
  leading: "jpt_1 - pt_1"
regions: {signal: {cut: "q_1 * q_2 < 0 and mt_1 < 30 and iso_1 < 0.1 and st > 40"}}
features: [pt_1, pt_2, st, leading]
categorical: {dm_2: null}
observables: {st: {label: "$S_T$", unit: GeV, binning: [40, 80, 120, 400]}}
control_plots: {st_over_mass: {label: "x", binning: [0, 1, 2, 5]}}
"""


def derived(**expressions: str) -> dict[str, DerivedQuantity]:
    return {k: DerivedQuantity.model_validate(text) for k, text in expressions.items()}


def test_expression_is_a_feature_cut_observable_and_plot(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(OVERLAY, encoding="utf-8")
    config = read_config([str(overlay)], ROOT)
    analysis = load_analysis(config.folder, config.quantities)
    check_config(config, load_catalogue(config), analysis)
    assert analysis.quantities["st"].unit == "GeV"
    assert analysis.quantities["st"].meaning == "scalar sum of momenta"
    assert analysis.quantities["st_over_mass"].meaning == "st / m_vis"
    assert {"MET_pt", "Muon_pt", "Tau_pt"} <= set(analysis.quantities["st"].requires)
    assert not analysis.quantities["st"].may_be_missing
    assert analysis.quantities["leading"].may_be_missing


@pytest.mark.parametrize("shift", ["tau_pt", "jet_pt", "met_unclustered"])
def test_expression_follows_its_parts_under_every_shift(skim_file: Any, shift: str) -> None:
    columns = read_events([skim_file], ANALYSIS.columns)
    analysis = add_quantities(ANALYSIS, derived(st="pt_1 + pt_2 + met", twice="2 * st"))
    nominal = analysis.compute(columns)
    shifted = analysis.shifts[shift].function(columns, 0.05)
    unchanged = frozenset(name for name, values in shifted.items() if values is columns[name])
    assert analysis.recompute is not None
    for found in (analysis.compute(shifted), analysis.recompute(shifted, nominal, unchanged)):
        passes = found["passes"]
        total = (found["pt_1"] + found["pt_2"] + found["met"])[passes]
        np.testing.assert_array_equal(found["st"][passes], total)
        np.testing.assert_array_equal(found["twice"][passes], 2 * total)
        both = passes & nominal["passes"]
        assert (found["st"] != nominal["st"])[both].mean() > 0.5


@pytest.mark.parametrize(
    ("expressions", "message"),
    [
        ({"st": "ptt_1 + met"}, r"quantities.st: 'ptt_1' is not a quantity; did you mean 'pt_1'\?"),
        ({"st": "later", "later": "met"}, "quantities.st: 'later' is not a quantity"),
        ({"met": "pt_1"}, "quantities.met: the analysis has a quantity of this name"),
        ({"st": "pt_1 +"}, "quantities.st: 'pt_1 \\+' cannot be parsed"),
        ({"st": "__import__('os')"}, "quantities.st: .* is not allowed"),
    ],
)
def test_expression_that_cannot_be_is_refused(expressions: dict[str, str], message: str) -> None:
    with pytest.raises(TaipanError, match=message):
        add_quantities(ANALYSIS, derived(**expressions))


def test_expression_of_the_generator_record_is_of_simulation_alone() -> None:
    analysis = add_quantities(ANALYSIS, derived(fake="1 - gen_match"))
    assert analysis.quantities["fake"].simulation_only
    assert add_quantities(ANALYSIS, {}) is ANALYSIS
