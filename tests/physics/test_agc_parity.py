"""The selection of ``agc_ttbar`` against an independent one in ROOT RDataFrame, where ROOT is."""

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
def test_rdataframe_has_the_same_events_sums_and_masses() -> None:
    """Event by event, nominal and with shifted and smeared jets."""
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "benchmarks/agc_parity.py", "--root-python", PYTHON),
            *("--scale", "0.1"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["ttbar", "wjets", "single_top_tW", "pseudodata"]
    regions = found["ttbar"]["regions"]
    assert len(regions) == 8  # two regions, four variations
    for region in regions.values():
        assert region["same"]
        assert region["events"] > 200
        assert max(region["ht"], region["m_trijet"]) < 1e-6
    events = [regions[f"{name}, two_tags"]["events"] for name in ("scale_down", "nominal")]
    assert events[0] < events[1] < regions["scale_up, two_tags"]["events"]
