"""The hash of the code: moved by code, not by comments; follows imports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from taipan import provenance
from taipan.errors import TaipanError
from taipan.provenance import code_version, hash_file

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that a test may edit."""
    shutil.copytree(ROOT / "src/taipan", tmp_path / "src/taipan")
    return tmp_path / "src"


def versions(source: Path) -> dict[str, str]:
    modules = ("taipan.skim.run", "taipan.templates.fill", "taipan.inference")
    code = "import sys; from taipan.provenance import code_version as v\n" + "\n".join(
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


def test_modules_beside_an_outside_analysis_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut in a module that a user's analysis imports once re-ran nothing."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_cuts_a.py").write_text("PT = 20\n", encoding="utf-8")
    (tmp_path / "my_analysis_a.py").write_text("import numpy, my_cuts_a\n", encoding="utf-8")
    before = code_version("my_analysis_a")
    provenance._tree.cache_clear()
    provenance._fingerprint.cache_clear()
    (tmp_path / "my_cuts_a.py").write_text("PT = 25\n", encoding="utf-8")
    assert code_version("my_analysis_a") != before


def test_unknown_module_and_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(TaipanError, match="module 'taipan.nothing' does not exist"):
        code_version("taipan.nothing")
    with pytest.raises(TaipanError, match="cannot read .*absent"):
        hash_file(tmp_path / "absent")


def test_hash_of_a_content_has_its_values_and_not_their_order() -> None:
    """Two files with the same keys in another order are the same parameters."""
    one = provenance.hash_content({"a": 1, "b": [1.5, {"d": 2, "c": 3}]})
    assert one == provenance.hash_content({"b": [1.5, {"c": 3, "d": 2}], "a": 1})
    for other in ({"a": 2}, {"b": [1.5, {"d": 2, "c": 4}]}, {"b": [{"d": 2, "c": 3}, 1.5]}):
        assert one != provenance.hash_content({"a": 1, "b": [1.5, {"d": 2, "c": 3}], **other})
