"""The skim against an independent implementation in ROOT RDataFrame, where ROOT is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PYTHON = Path(os.environ.get("TAIPAN_ROOT_PYTHON", ROOT / ".venv-root/bin/python"))


@pytest.mark.skipif(
    not PYTHON.exists(),
    reason="no environment with ROOT (.venv-root from envs/root.lock, or TAIPAN_ROOT_PYTHON)",
)
def test_rdataframe_selects_the_same_events_pairs_and_values() -> None:
    """Simulation with signed weights and collision data: generator record, weights, triggers."""
    names = ["DYToTauTau_NLO", "Run2012B_TauPlusX"]
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "benchmarks/skim_parity.py", "--root-python", PYTHON),
            *("--events", "8000", "--luminosity", "0.2", "--datasets", *names),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["agree"]
    assert list(found["datasets"]) == names
    for one in found["datasets"].values():
        cutflow = one["cutflow"]
        assert one["same_cutflow"]
        assert one["largest_difference"] < 1e-5
        assert one["columns"] > 50
        assert cutflow["all"] > cutflow["trigger"] > cutflow["muon"] > cutflow["tau"]
        assert cutflow["pair"] > 1000
