"""Shared fixtures: a small simulated dataset, its skim, the default configuration."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import XRootD.client  # noqa: F401  (crashes if TensorFlow, of other tests, is imported before it)
import yaml

from taipan.config.model import Config
from taipan.fastsim import DATASETS, FastsimSettings, write_dataset
from taipan.skim.run import Chunk, SkimSettings, skim_chunk
from tests.htautau import ANALYSIS
from tests.project import finished, project

__all__ = ["finished", "project"]  # fixtures of all folders

ROOT = Path(__file__).parent.parent
ENVELOPE = {"tau_pt": 0.06, "muon_pt": 0.02}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that draws the images anew that figures are compared with."""
    parser.addoption(
        "--update-images", action="store_true", help="Draw tests/images anew; then look at them."
    )


def fastsim_settings(**changes: object) -> FastsimSettings:
    """Settings of a small simulation."""
    settings = {
        "luminosity": 0.2,
        "mu": 1.0,
        "mismodelling_family": "none",
        "mismodelling_size": 1.0,
        "negative_fraction": 0.2,
        "events": {name: 4000 for name in DATASETS if not name.startswith("Run")},
    }
    return FastsimSettings(**{**settings, **changes})


def skim_settings(dataset: str, **changes: object) -> SkimSettings:
    """Settings of the skim of a fastsim dataset."""
    settings = {
        "dataset": dataset,
        "is_data": dataset.startswith("Run"),
        "kind": "simulation",
        "envelope": ENVELOPE,
        "step_events": 100_000,
    }
    return SkimSettings(**{**settings, **changes})


@pytest.fixture(autouse=True)
def own_logger() -> Iterator[None]:
    """Leave the logger as it was: commands and scripts set it for their process."""
    logger = logging.getLogger("taipan")
    level, propagate, handlers = logger.level, logger.propagate, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.propagate, logger.handlers = propagate, handlers
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def root_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4000 simulated Z→ττ and Z→ll events."""
    path = tmp_path_factory.mktemp("fastsim") / "DYJetsToLL.root"
    write_dataset("DYJetsToLL", path, fastsim_settings(), seed=7)
    return path


@pytest.fixture(scope="session")
def skim_file(root_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The skim of `root_file`."""
    folder = tmp_path_factory.mktemp("skim")
    skim_chunk(
        Chunk(root_file),
        ANALYSIS,
        skim_settings("DYJetsToLL"),
        folder / "events.parquet",
        folder / "cutflow.json",
        {},
    )
    return folder / "events.parquet"


@pytest.fixture(scope="session")
def analysis_config() -> Config:
    """The default analysis with one network and one parameter of interest."""
    folder = ROOT / "config/analyses/htautau"
    text = (folder / "analysis.yaml").read_text(encoding="utf-8")
    text = text.replace("file: corrections/", f"file: {folder}/corrections/")
    content = yaml.safe_load(text)
    del content["networks"], content["fit"]["parameters_of_interest"]
    del content["systematics"]["control_residual"]
    return Config(**content)
