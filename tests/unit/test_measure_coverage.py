"""The verdict on the coverage."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri

from taipan.atomic import write_json
from taipan.coverage.score import summarise_experiments
from taipan.errors import TaipanError
from taipan.stages.measure_coverage import measure_coverage


def judge(report: Path) -> None:
    measure_coverage(str(report))


def write_report(path: Path, n: int, factor: float) -> Path:
    """Report on intervals of the right length times `factor`."""
    truth = np.linspace(0.0, 3.0, n)
    mu_hat = truth + ndtri((np.arange(n) + 0.5) / n)
    ends = [(mu_hat - width, mu_hat + width) for width in (factor, 1.95996 * factor)]
    write_json(path, summarise_experiments(truth, mu_hat, np.ones(n), ends))
    return path


def test_intervals_that_cover_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    judge(write_report(tmp_path / "nn_score.json", 2000, 1.0))
    assert "68.27 %: found 68.30 % of 2000 (+0.0 binomial σ)" in caplog.text


def test_intervals_that_are_too_short_stop_the_workflow(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match=r"nn_score\.json: the intervals do not cover: 68\.27 %"):
        judge(write_report(tmp_path / "nn_score.json", 2000, 0.7))


def test_too_few_pseudo_experiments_are_no_proof(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match="10 pseudo-experiments are too few to tell"):
        judge(write_report(tmp_path / "nn_score.json", 10, 1.0))
