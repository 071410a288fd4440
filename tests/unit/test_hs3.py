"""The HS3 document has pyhf's likelihood: by an evaluator of our own, and in RooFit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.export.hs3 import parameter_names, to_hs3
from taipan.inference.read import numpy_backend, open_workspace
from taipan.likelihood import build_workspace
from tests.conftest import ROOT
from tests.hs3_evaluator import negative_log_likelihood
from tests.made_up_models import make_workspace
from tests.public_models import public_models
from tests.synthetic_templates import TRANSFER, make_config, make_histogram

PYTHON = Path(os.environ.get("TAIPAN_ROOT_PYTHON", ROOT / ".venv-root/bin/python"))


def analysis() -> dict[str, Any]:
    """A workspace of the analysis: subtracted simulation is in samples with negative yields."""
    workspace, _ = build_workspace(make_histogram(), make_config(), "nn_score", TRANSFER)
    negative = [
        sample["name"]
        for channel in workspace["channels"]
        for sample in channel["samples"]
        if min(sample["data"]) < 0.0
    ]
    assert "W_same_sign" in negative
    return workspace


WORKSPACES = {
    **public_models(),
    "made_up": make_workspace(norms=3, shapes=3, regions=2, bins=6, samples=3),
    "analysis": analysis(),
}


def points(workspace: dict[str, Any]) -> tuple[list[dict[str, float]], list[float]]:
    """Nominal parameters and two points away from them; −ln L of pyhf there."""
    with numpy_backend():
        opened = open_workspace(workspace)
        config = opened.model.config
        start = np.array(config.suggested_init())
        fixed = np.array(config.suggested_fixed())
        rng = np.random.default_rng(3)
        chosen, found = [], []
        for spread in (0.0, 0.6, 1.4):
            # α beyond ±1 too; factors near 1
            unit = np.where(start == 0.0, 1.0, 0.05)
            values = np.where(fixed, start, start + spread * rng.choice([-1, 1], len(start)) * unit)
            chosen.append(dict(zip(parameter_names(config), values.tolist(), strict=True)))
            found.append(-float(opened.model.logpdf(values.tolist(), opened.observed)[0]))
    return chosen, found


@pytest.mark.parametrize("name", WORKSPACES)
def test_document_has_the_likelihood_of_the_workspace(name):
    document = json.loads(json.dumps(to_hs3(WORKSPACES[name])))
    for values, expected in zip(*points(WORKSPACES[name]), strict=True):
        assert negative_log_likelihood(document, values) == pytest.approx(expected, rel=1e-9)


@pytest.mark.skipif(
    not PYTHON.exists(),
    reason="no environment with ROOT (.venv-root from envs/root.lock, or TAIPAN_ROOT_PYTHON)",
)
@pytest.mark.parametrize("name", ["histfactory_example", "two_bins_uncorrelated", "analysis"])
def test_roofit_reads_the_likelihood_of_the_workspace(name, tmp_path):
    """RooFit took the Gaussian constraints of the statistical uncertainties for Poisson ones."""
    places, expected = points(WORKSPACES[name])
    (tmp_path / "document.json").write_text(json.dumps(to_hs3(WORKSPACES[name])))
    (tmp_path / "points.json").write_text(json.dumps(places))
    done = subprocess.run(
        [
            *(PYTHON, "-W", "ignore", ROOT / "tests/hs3_roofit.py"),
            *(tmp_path / "document.json", tmp_path / "points.json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = np.array(json.loads(done.stdout.splitlines()[-1]))
    np.testing.assert_allclose(found - found[0], np.array(expected) - expected[0], rtol=1e-8)
