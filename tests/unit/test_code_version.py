"""The hash of the code: moved by code, not by comments; follows imports."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from taipan import code_version as versioning
from taipan.code_version import code_version
from taipan.errors import TaipanError
from taipan.provenance import hash_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that a test may edit."""
    shutil.copytree(ROOT / "src/taipan", tmp_path / "src/taipan")
    return tmp_path / "src"


def versions(source: Path) -> dict[str, str]:
    modules = ("taipan.skim.run", "taipan.templates.fill", "taipan.inference")
    code = "import sys; from taipan.code_version import code_version as v\n" + "\n".join(
        f"print(v('{name}'))" for name in modules
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(source)},
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(zip(modules, out.stdout.split(), strict=True))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_comments_docstrings_and_layout_do_not_count(copy: Path) -> None:
    before = versions(copy)
    path = copy / "taipan/skim/run.py"
    edit(path, '"""The skim:', '"""A better sentence about the skim:')
    edit(path, "def _require(", "# why\n\n\ndef _require(")
    edit(path, "began = time.perf_counter()", "began = (\n        time.perf_counter()\n    )")
    assert versions(copy) == before


def test_code_counts_for_its_users_alone(copy: Path) -> None:
    before = versions(copy)
    edit(copy / "taipan/skim/cutflow.py", "if not flows:", "if len(flows) == 0:")
    after = versions(copy)
    # normalisation, and with it the events stage, adds cutflows; the fit reads none
    assert after["taipan.skim.run"] != before["taipan.skim.run"]
    assert after["taipan.inference"] == before["taipan.inference"]


@pytest.mark.parametrize(
    ("imports", "counts"),
    [
        ("from .cuts import PT", True),
        ("from . import cuts", True),
        ("from . import cuts as c, deeper", True),
        ("from .deeper.more import PT", True),
        ("import numpy", False),
        ("from .others import PT", False),
    ],
)
def test_files_beside_an_analysis_count(tmp_path: Path, imports: str, counts: bool) -> None:
    """A cut in a file that a user's analysis imports once re-ran nothing."""
    write(tmp_path / "cuts.py", "PT = 20\n")
    write(tmp_path / "others.py", "PT = 20\n")
    write(tmp_path / "deeper/__init__.py", "")
    write(tmp_path / "deeper/more.py", "from ..cuts import PT\n")
    write(tmp_path / "selection.py", f"import numpy\n{imports}\n")
    before = version("taipan.skim.task", analysis=tmp_path)
    write(tmp_path / "cuts.py", "PT = 25\n")
    assert (version("taipan.skim.task", analysis=tmp_path) != before) is counts


def test_unknown_module_and_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match="module 'taipan.nothing' does not exist"):
        code_version("taipan.nothing")
    with pytest.raises(TaipanError, match="cannot read .*absent"):
        hash_file(tmp_path / "absent")


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for modules of a user, which may change between two calls."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def version(*roots: str | Path, analysis: Path | None = None) -> str:
    """The hash as a new process would find it."""
    for cached in (versioning._file_of, versioning._facts_of, versioning._imports):
        cached.cache_clear()
    importlib.invalidate_caches()
    return code_version(*roots, analysis=analysis)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_script_counts_but_not_its_comments_nor_its_folder(tmp_path: Path) -> None:
    """An edited script re-ran nothing if its date was old."""
    script = write(tmp_path / "a/fit.py", '"""Fit."""\n\nX = 1\n')
    before = version(script)
    assert version(write(tmp_path / "b/c/fit.py", '"""Better."""\n# why\nX = 1\n')) == before
    assert version(write(script, '"""Fit."""\n\nX = 2\n')) != before
    assert version(write(tmp_path / "a/other.py", '"""Fit."""\n\nX = 1\n')) != before


@pytest.mark.parametrize(
    "text",
    [
        "import late_b\n",
        "import late_b as other\n",
        "from late_b import X\n",
        "from late_b import *\n",
        "def f():\n    from late_b import X\n    return X\n",
        "class A:\n    def f(self):\n        if self:\n            import late_b\n",
        "try:\n    import absent_b\nexcept ImportError:\n    import late_b\n",
        "import importlib\nM = importlib.import_module('late_b')\n",
        "def f():\n    return __import__('late_b')\n",
        "import late_middle_b\n",
        "from late_package_b.inner import part\n",
    ],
)
def test_module_counts_however_it_is_imported(modules: Path, text: str) -> None:
    write(modules / "late_middle_b.py", "def f():\n    import late_b\n")
    write(modules / "late_package_b/inner/part.py", "from ... import up\nfrom .. import lower\n")
    write(modules / "late_package_b/inner/__init__.py", "")
    write(modules / "late_package_b/lower.py", "import late_b\nY = 1\n")
    write(modules / "late_b.py", "X = 1\n")
    script = write(modules / "script_b.py", text)
    before = version(script)
    write(modules / "late_b.py", "X = 2\n")
    assert version(script) != before


def test_every_file_of_a_room_counts(modules: Path) -> None:
    """A registry imports what lies in its folder: an edit there, or a new file, is new code."""
    write(modules / "room_b/__init__.py", "")
    write(modules / "room_b/one.py", "X = 1\n")
    text = "from taipan.rooms import import_room\nimport_room('room_b')\n"
    script = write(modules / "script_room_b.py", text)
    before = version(script)
    write(modules / "room_b/one.py", "X = 2\n")
    edited = version(script)
    write(modules / "room_b/two.py", "Y = 1\n")
    assert len({before, edited, version(script)}) == 3


@pytest.mark.parametrize(
    "text",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import typed_c\n",
        "import typing\nif typing.TYPE_CHECKING:\n    from typed_c import X\n",
        "import numpy\n",
    ],
)
def test_module_that_is_never_imported_does_not_count(modules: Path, text: str) -> None:
    write(modules / "typed_c.py", "X = 1\n")
    script = write(modules / "script_c.py", text)
    before = version(script)
    write(modules / "typed_c.py", "X = 2\n")
    assert version(script) == before
    assert versioning.reached_modules(script) == {str(script)}


def test_what_a_module_does_as_a_program_does_not_count(modules: Path) -> None:
    """The options of a stage by hand re-run no job; a script is always the program."""
    command = "if __name__ == '__main__':\n    import command_p\n"
    write(modules / "command_p.py", "X = 1\n")
    write(modules / "stage_p.py", "Y = 1\n" + command)
    script = write(modules / "script_p.py", "import stage_p\n")
    guarded = write(modules / "guarded_p.py", command)
    before, with_command = version(script), version(guarded)
    write(modules / "command_p.py", "X = 2\n")
    assert version(script) == before
    assert version(guarded) != with_command
    write(modules / "stage_p.py", "Y = 1\n" + command + "    command_p.run()\n")
    assert version(script) == before
    write(modules / "stage_p.py", "Y = 2\n" + command)
    assert version(script) != before


def test_init_of_a_package_counts_but_not_what_it_offers(copy: Path) -> None:
    """Python runs it; nobody who imports a module below uses what it imports for others."""
    script = write(copy / "script.py", "from taipan.inference.errors import FitError\n")
    code = f"from taipan.code_version import code_version as v; print(v('{script}'))"

    def found() -> str:
        environment = {**os.environ, "PYTHONPATH": str(copy)}
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    before = found()
    write(copy / "taipan/inference/fit.py", "X = 1\n")
    assert found() == before
    with (copy / "taipan/inference/__init__.py").open("a", encoding="utf-8") as handle:
        handle.write("X = 1\n")
    assert found() != before


def test_module_in_another_folder_counts(
    modules: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what lay beside the analysis did."""
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.syspath_prepend(folder)
    write(folder / "shared_cuts_d.py", "PT = 20\n")
    write(modules / "my_analysis_d/__init__.py", "from . import selection\n")
    write(modules / "my_analysis_d/selection.py", "from shared_cuts_d import PT\n")
    mine = modules / "my_analysis_d"
    before = version("my_analysis_d"), version("taipan.skim.task", analysis=mine)
    write(folder / "shared_cuts_d.py", "PT = 25\n")
    assert version("my_analysis_d") != before[0]
    assert version("taipan.skim.task", analysis=mine) != before[1]


def test_analysis_counts_where_it_is_loaded(modules: Path) -> None:
    write(modules / "mine/selection.py", "PT = 20\n")
    write(modules / "mine/simulation.py", "PT = 20\n")
    reader = write(
        modules / "reader_e.py",
        "from taipan.analysis_selection import load_analysis\n\n"
        "def f(name):\n    load_analysis(name)\n",
    )
    other = write(modules / "other_e.py", "from taipan.analysis import Analysis\n")
    before = [version(path, analysis=modules / "mine") for path in (reader, other)]
    write(modules / "mine/simulation.py", "PT = 25\n")
    assert [version(path, analysis=modules / "mine") for path in (reader, other)] == before
    write(modules / "mine/selection.py", "PT = 25\n")
    after = [version(path, analysis=modules / "mine") for path in (reader, other)]
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_description_of_a_key_does_not_count_but_its_default_does(tmp_path: Path) -> None:
    text = "class A(Strict):\n    x: int = Field({}, gt={}, description='{}')\n"
    script = tmp_path / "model_f.py"
    before = version(write(script, text.format(1, 0, "a")))
    assert version(write(script, text.format(1, 0, "b"))) == before
    assert version(write(script, text.format(2, 0, "a"))) != before
    assert version(write(script, text.format(1, 1, "a"))) != before


def test_source_that_is_not_python_is_named(tmp_path: Path) -> None:
    script = write(tmp_path / "broken_g.py", "def f(:\n")
    with pytest.raises(TaipanError, match=r"broken_g\.py is not valid Python"):
        version(script)
