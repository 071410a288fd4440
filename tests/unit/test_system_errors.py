"""A full disk, missing permissions and odd names give one line, not a traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from taipan.cli.main import main
from taipan.errors import TaipanError, explain_system_error

LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from matplotlib.figure import Figure
from taipan.atomic import replacing, write_json, write_text
from taipan.errors import TaipanError
from taipan.nn.checkpoint import Checkpoint, Saved
from taipan.plotting.style import new_figure, save_figure
from taipan.reproduce import bundle

folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # a file as on a disk that is full
numbers = np.random.default_rng(1).normal(size=5000)

def checkpoint():
    store = Checkpoint.__new__(Checkpoint)
    store._path, store._every, store._identity = folder / "state.npz", 1, "0"
    store.write(Saved([numbers], {}, {}, None, None))

def parquet():
    with replacing(folder / "events.parquet") as temporary:
        pq.write_table(pa.table({"x": numbers}), temporary)

def archive():
    import zipfile
    with replacing(folder / "t.zip") as temporary, zipfile.ZipFile(temporary, "w") as target:
        target.writestr("x", numbers.tobytes())

def network():
    with replacing(folder / "fold0.onnx") as temporary:
        temporary.write_bytes(numbers.tobytes())

def figure():
    outputs = {kind: folder / f"f.{kind}" for kind in ("pdf", "png", "json")}
    figure = new_figure(3, 3)
    figure.add_axes((0, 0, 1, 1)).plot(numbers)
    save_figure(figure, outputs, [])

for name, write in {
    "json": lambda: write_json(folder / "a.json", numbers.tolist()),
    "text": lambda: write_text(folder / "a.txt", "a" * 5000),
    **{f.__name__: f for f in (checkpoint, parquet, archive, network, figure)},
}.items():
    try:
        write()
    except TaipanError as error:
        print(name, error)
"""
SCRIPT = """
import logging, resource, sys
from pathlib import Path
from taipan.scripting import run_call

def train():
    logger = logging.getLogger("taipan.train")
    for epoch in range(100):
        logger.info("epoch %d", epoch)
    if sys.argv[2] == "memory":
        raise MemoryError
    if sys.argv[2] == "permission":
        raise PermissionError(13, "Permission denied", "events/a.parquet")
    if sys.argv[2] == "bug":
        raise FileNotFoundError(2, "No such file", "x")
    Path(sys.argv[1], "weights.bin").write_bytes(bytes(5000))

resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
run_call("train", train, log=sys.argv[1] + "/train.log")
"""


def run(code: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_full_disk_is_one_line_whatever_is_written(tmp_path: Path) -> None:
    """The state of a training, a network, events, templates, figures: no part of one is left."""
    done = run(LIMITED, tmp_path)
    assert done.returncode == 0, done.stderr
    names = {
        "json": "a.json", "text": "a.txt", "checkpoint": "state.npz", "parquet": "events.parquet",
        "archive": "t.zip", "network": "fold0.onnx", "figure": "f.pdf",
    }  # fmt: skip
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert set(lines) == set(names)
    for what, name in names.items():
        assert lines[what].startswith(f"cannot write {tmp_path / name}: "), lines[what]
        assert "File too large" in lines[what]
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("disk", "train: error: cannot write: File too large"),
        ("memory", "train: error: there is not enough memory"),
        ("permission", "train: error: cannot use events/a.parquet: Permission denied"),
    ],
)
def test_job_says_in_one_line_what_the_system_refuses(
    tmp_path: Path, what: str, message: str
) -> None:
    """Its log cannot be written either, which is said once."""
    done = run(SCRIPT, tmp_path, what)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Logging error" not in done.stderr
    assert done.stderr.count("train.log: cannot be written: ") == 1
    assert done.stderr.splitlines()[-1].endswith(message)


def test_bug_of_a_job_keeps_its_traceback(tmp_path: Path) -> None:
    done = run(SCRIPT, tmp_path, "bug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_log_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "train.log").mkdir()
    done = run(SCRIPT, tmp_path, "disk")
    assert done.returncode == 1
    assert done.stderr == f"train: error: cannot write {tmp_path}/train.log: Is a directory\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.ENAMETOOLONG, errno.EDQUOT])
def test_what_the_system_refuses_is_explained(number: int) -> None:
    error = OSError(number, os.strerror(number), "a\x1bb")
    assert explain_system_error(error) == f"cannot use a\\x1bb: {os.strerror(number)}"
    assert explain_system_error(FileNotFoundError(errno.ENOENT, "none", "a")) is None
    assert explain_system_error(KeyError("a")) is None


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "{long}"],
        ["fit", "{folder}"],
        ["combine", "a={long}", "b={folder}", "--out", "{folder}/o.json"],
        ["combine-results", "{long}"],
        ["provenance", "{long}"],
        ["config", "check", "--config", "{long}"],
        ["config", "check", "--root", "{long}"],
        ["skim", "{long}", "--out", "{folder}/o.parquet"],
        ["reproduce", "{long}", "--folder", "{folder}/new"],
        ["bundle", "--out", "{folder}/b.zip", "--root", "{long}"],
        ["results-folder", "--configfile", "{folder}/missing.yaml"],
    ],
)
def test_odd_names_on_the_command_line_are_one_line(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"long": "a" * 300, "folder": tmp_path}
    assert main([word.format(**values) for word in words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("taipan: error: ")
    assert error.count("\n") == 1


def test_message_of_an_error_has_no_control_characters() -> None:
    assert str(TaipanError("a\x1b[2J")) == r"a\x1b[2J"
