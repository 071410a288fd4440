"""The notebooks, executed on a finished run as Jupyter does it: cell by cell in one namespace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure

from taipan.atomic import read_json
from tests.project import RESULTS, ROOT, SMOKE, Project

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
BEGIN = "results/htautau"
"""Results in the notebooks; those of the smoke run stand there in the tests."""


@pytest.fixture
def folder(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a finished run, whose working directory is that of the notebooks."""
    for name in (BEGIN, RESULTS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(finished.path / RESULTS)
    (tmp_path / "config").symlink_to(finished.path / "config")
    (tmp_path / "docs/notebooks").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "docs/notebooks")
    monkeypatch.setenv("PYTHONPATH", finished.environment["PYTHONPATH"])
    return tmp_path


def execute(name: str, **changed: str) -> dict[str, Any]:
    """Run the cells of a notebook; the first text is replaced by the second in their code."""
    notebook = nbformat.read(ROOT / f"docs/notebooks/{name}.ipynb", as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, text in enumerate(code):
        for key, value in changed.items():
            text = text.replace(f"{key} = []", f"{key} = {value}")
        exec(compile(text, f"{name}, cell {number}", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_valid_and_has_no_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert path.read_text(encoding="utf-8").endswith("}\n")


@pytest.mark.workflow
def test_notebook_for_data_scientists(folder: Path) -> None:
    """Sums of weights are the yields; held-out rows are in no sum of the training."""
    found = execute("open-data-as-dataframes", OVERLAYS=repr([SMOKE]))
    compared = found["compared"].dropna()
    assert len(compared) >= 6
    np.testing.assert_allclose(compared["sum of weights"], compared["yield"], rtol=1e-6)
    assert not np.any(found["held_out"] & found["train"])
    assert set(found["rows"]["fold"][found["held_out"]]) == {0}
    weights = found["balanced"][found["train"]]
    signal = found["is_signal"][found["train"]]
    assert weights[signal].sum() == pytest.approx(1.0)
    assert weights[~signal].sum() == pytest.approx(1.0)
    # least squares with signed weights: what is left has no part along any term
    left = signal - found["score"][found["train"]]
    along = found["terms"][found["train"]].T @ (weights * left)
    assert np.abs(along).max() < 1e-8
    # of signal with the weights 2, -1 and 1, one half lies above the background
    score, is_signal = np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, True, False, True])
    weight = np.array([2.0, -1.0, 1.0, 1.0])
    assert found["find_area"](score, is_signal, weight) == pytest.approx(0.5)
    assert 0.6 < found["areas"]["own classifier"] < 0.95
    assert found["counts"].sum() > 0.9 * len(found["data"])
    assert isinstance(found["figure"], Figure)


@pytest.mark.workflow
def test_notebook_for_physicists(folder: Path) -> None:
    """The fit of the notebook is that of the run."""
    before = mpl.rcParams.copy()
    found = execute("open-a-result")
    record = read_json(folder / RESULTS / "fit/nn_score.json")["observed"]
    assert found["estimate"] == pytest.approx(record["mu_hat"], abs=1e-3)
    assert found["error"] == pytest.approx(record["sigma"], rel=1e-3)
    assert len(found["table"]) == len(record["impacts"])
    nominal, up, down = found["sides"].values()
    assert up.sum() != pytest.approx(nominal.sum(), rel=1e-9)
    assert down.sum() != pytest.approx(nominal.sum(), rel=1e-9)
    assert (folder / "talk.png").stat().st_size > 5000
    assert mpl.rcParams["font.size"] == before["font.size"]
    plt.close("all")
