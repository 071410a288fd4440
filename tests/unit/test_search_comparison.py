"""The last comparison of a search in a process of its own, and a chief without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from taipan.errors import TaipanError
from taipan.search import comparison
from taipan.search.comparison import decide_apart
from taipan.search.confirm import decide
from taipan.search.job import Search, write_search
from tests.unit.test_search_confirm import NONE_LEARNT, TRAINING, candidate, make_search

ROOT = Path(__file__).parents[2]
KNOWN, FOUND = candidate("configuration", NONE_LEARNT), candidate("trial 3", TRAINING)

TUNE = """
import sys
from types import SimpleNamespace
from pathlib import Path
from taipan.config.sections.overtraining import Overtraining
from taipan.stages import tune as stage
from tests.unit.test_search_tune import SPACE, TRAINING, TUNING, make_set

stage.open_training_set = lambda *_: make_set()
tuning = TUNING.model_copy(update={
    "workers": 2, "trials": 2, "confirm_folds": 1,
    "space": SPACE.model_copy(update={"activation": ["silu"]}),  # so that no trial is as configured
})
config = SimpleNamespace(training=TRAINING, tuning=tuning, overtraining=Overtraining())
folder = Path(sys.argv[1])
stage.tune(None, config, 1, "", 1, (), folder, folder / "best.json", folder / "trials.csv")
print(sorted(name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras_tuner")))
"""


def written(folder: Path) -> Search:
    folder.mkdir()
    search = make_search(folder)
    write_search(search)
    return search


def test_another_process_decides_the_same(tmp_path: Path) -> None:
    apart = decide_apart(written(tmp_path / "apart"), KNOWN, FOUND, 2)
    assert apart.comparison is not None
    assert apart == decide(written(tmp_path / "here"), KNOWN, FOUND, 2)


def test_chief_of_a_search_needs_no_tensorflow(tmp_path: Path) -> None:
    """It takes 0.85 GB, and the worker has it already."""
    command = [sys.executable, "-c", TUNE, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    modules = done.stdout.splitlines()[-1]
    assert "'keras_tuner'" in modules
    assert "tensorflow" not in modules
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["comparison"] is not None  # so there was a training after the last trial


def test_no_process_is_started_where_nothing_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "start_process", None)
    assert not decide_apart(make_search(tmp_path), KNOWN, KNOWN, 1).taken
    assert decide_apart(make_search(tmp_path, confirm_folds=0), KNOWN, FOUND, 1).taken


def test_error_of_a_training_is_told_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(module: str, words: list[str], *_: object) -> SimpleNamespace:
        comparison.main(Path(words[0]), int(words[1]))
        return SimpleNamespace(wait=lambda: 0, kill=lambda: None)

    def fail(*_: object) -> None:
        raise TaipanError("training of fold 2 diverged")

    monkeypatch.setattr(comparison, "start_process", start)
    monkeypatch.setattr(comparison, "decide", fail)
    with pytest.raises(TaipanError, match=r"^training of fold 2 diverged$"):
        decide_apart(written(tmp_path / "search"), KNOWN, FOUND, 1)


def test_comparison_that_dies_ends_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision that an earlier one left is not read."""
    search = written(tmp_path / "search")
    left = search.folder / "confirm/decision.json"
    left.parent.mkdir()
    left.write_text('{"taken": true, "reason": "", "comparison": null}')
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TaipanError, match=r"comparison died \(status 1\)"):
        decide_apart(search, KNOWN, FOUND, 1)
    assert not left.exists()
