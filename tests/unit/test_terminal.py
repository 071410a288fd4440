"""What a terminal gets: ASCII where it has no more, silence when the reader has gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from taipan.atomic import read_json, write_json
from taipan.clean_text import escape_controls
from taipan.cli.main import main
from taipan.commands.show import choose_analysis
from taipan.errors import TaipanError
from taipan.export.names import make_file_names
from taipan.terminal import CLOSED_PIPE, fold_symbols
from tests.conftest import ROOT
from tests.unit.test_workspace_structure import make_workspace

COMMAND = "import sys; from taipan.cli.main import main; sys.exit(main())"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        check=False,
    )


def write(path: Path, content: object) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def test_symbols_have_names_in_ascii():
    text = "σ(μ) = 1.0 ± 0.1, Σw², −ln L → χ² ≤ 3, H→ττ, 20.6 fb⁻¹, λΛς, Möbius, 漢"
    assert fold_symbols(text) == (
        "sigma(mu) = 1.0 +- 0.1, Sigmaw2, -ln L -> chi2 <= 3, H->tautau, 20.6 fb-1, "
        "lambdaLambdasigma, Mobius, \\u6f22"
    )


def test_ascii_terminal_loses_no_result(tmp_path):
    """UnicodeEncodeError at '±' came before the file was written."""
    workspace, out = write(tmp_path / "w.json", make_workspace()), tmp_path / "out.json"
    found = run(
        "fit", workspace, "--limit", "--impacts", "--out", str(out), "--tables", str(tmp_path),
        LC_ALL="C", PYTHONIOENCODING="ascii",
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, b"")
    result = json.loads(out.read_text())
    lines = found.stdout.decode("ascii").splitlines()
    strength = f"{result['mu_hat']:.4g} +- {result['sigma']:.4g}"
    assert lines[1].split(maxsplit=1) == ["mu", strength]
    assert any(line.startswith("sigma, statistical  ") for line in lines)
    # columns stay under each other
    head = next(line for line in lines if line.startswith("parameter"))
    row = next(line for line in lines if line.startswith("stat[1]"))
    assert row[head.index("impact +1sigma") - 1] == " "
    assert row[head.index("impact +1sigma")] in "+-"


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "check"],
        ["config", "quantities"],
        ["config", "defaults"],
        ["config", "schema"],
        ["config", "manual"],
        ["skim", "--help"],
        ["combine-results", "{results}"],
        ["fit", "{missing}"],
    ],
    ids=" ".join,
)
def test_every_command_prints_to_an_ascii_terminal(arguments, tmp_path):
    results = {"results": [{"values": [1.0], "covariance": [[0.1]]}] * 2}
    names = {
        "results": write(tmp_path / "results.json", results),
        "missing": str(tmp_path / "Zürich.json"),
    }
    given = [item.format(**names) for item in arguments]
    found = run(*given, LC_ALL="C", PYTHONIOENCODING="ascii")
    assert b"Traceback" not in found.stderr
    assert found.returncode == (1 if arguments[0] == "fit" else 0)
    assert (found.stdout + found.stderr).decode("ascii")


def test_results_are_written_before_anything_is_printed(tmp_path):
    """With a reader that has gone, every file is there, and nothing is said."""
    workspace = write(tmp_path / "w.json", make_workspace())
    results = {"results": [{"values": [1.0], "covariance": [[0.1]]}] * 2}
    commands = [
        ["fit", workspace, "--out", str(tmp_path / "a.json"), "--hs3", str(tmp_path / "h.json")],
        ["combine", f"a={workspace}", f"b={workspace}", "--out", str(tmp_path / "b.json")],
        [
            "combine-results", write(tmp_path / "results.json", results),
            "--out", str(tmp_path / "c.json"),
        ],
    ]  # fmt: skip
    for unbuffered in ("", "1"):
        for arguments in commands:
            reader, writer = os.pipe()
            os.close(reader)
            try:
                found = subprocess.run(
                    [sys.executable, "-c", COMMAND, *arguments],
                    env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
                    stdout=writer,
                    stderr=subprocess.PIPE,
                    check=False,
                )
            finally:
                os.close(writer)
            assert (found.returncode, found.stderr) == (CLOSED_PIPE, b"")
        for name in ("a", "h", "b", "c"):
            assert json.loads((tmp_path / f"{name}.json").read_text())
            (tmp_path / f"{name}.json").unlink()


def test_pipe_that_closes_early_is_silent():
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "config", "manual"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() in (0, CLOSED_PIPE)  # 0 if all had been written


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_on_a_full_disk_is_one_line(unbuffered):
    with open("/dev/full", "wb") as full:
        found = subprocess.run(
            [sys.executable, "-c", COMMAND, "config", "defaults"],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert found.returncode == 1
    (line,) = found.stderr.decode().splitlines()
    assert line.startswith("taipan: error: cannot ")


def test_warnings_of_numpy_and_scipy_stay_off_the_terminal():
    code = """
import warnings
import numpy as np
from scipy.optimize import OptimizeWarning
from taipan.terminal import hide_numerical_warnings
with hide_numerical_warnings():
    np.log(np.zeros(2)), np.exp(np.array([1e4])), np.mean([])
    warnings.warn("slow", OptimizeWarning)
warnings.warn("seen", RuntimeWarning)
"""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True
    )
    assert b"seen" in found.stderr
    assert found.stderr.count(b"Warning") == 1


def test_control_codes_of_a_name_are_shown_as_text(tmp_path, capsys):
    workspace = make_workspace()
    name = "s\x1b[2Kr\n"
    for item in (workspace["channels"][0], workspace["observations"][0]):
        item["name"] = name
    assert main(["fit", write(tmp_path / "w.json", workspace)]) == 0
    printed = capsys.readouterr().out
    assert r"s\x1b[2Kr\n" in printed
    assert "\x1b" not in printed
    assert escape_controls("a\x9b\u202eb\n\t") == "a\\x9b\\u202eb\n\t"


# hepdata-validator leaves the files that it has read to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_any_name_of_a_region_fits_into_a_hepdata_submission(tmp_path):
    """A slash was a folder that does not exist, and HEPData takes 64 characters."""
    names = ["a/b", "a_b", "A B", "../../x", "c" * 300, "c" * 299 + "d"]
    workspace = make_workspace()
    (region, control), (data, _) = workspace["channels"], workspace["observations"]
    workspace["channels"] = [control]
    workspace["observations"] = workspace["observations"][1:]
    for i, name in enumerate(names):
        copied = json.loads(json.dumps(region))
        copied["name"] = name
        copied["samples"][1]["modifiers"][0]["name"] = f"stat{i}"
        workspace["channels"].append(copied)
        workspace["observations"].append({"name": name, "data": data["data"]})
    target, tables = tmp_path / "out.tar.gz", tmp_path / "tables"
    path = write(tmp_path / "w.json", workspace)
    arguments = ["--hepdata", str(target), "--tables", str(tables), "--plots", str(tmp_path / "p")]
    assert main(["fit", path, *arguments, "--scan", "mu"]) == 0
    with tarfile.open(target) as archive:
        files = {Path(name).name for name in archive.getnames()}
        (submission,) = [n for n in archive.getnames() if n.endswith("submission.yaml")]
        content = archive.extractfile(submission)
        assert content is not None
        described = [item for item in yaml.safe_load_all(content) if "data_file" in item]
    assert {item["data_file"] for item in described} <= files
    assert len({item["data_file"] for item in described}) == len(described) == 2 * 7 + 2
    for name in names:
        assert sum(f"Yields of region {name}, " in item["description"] for item in described) == 2


def test_names_of_files_differ_and_stay_in_their_folder():
    found = make_file_names(["a/b", "a_b", "A B", "x" * 80, "x" * 81, "../y"], 10)
    assert found == ["a_b", "a_b 2", "A B 3", "x" * 10, "x" * 8 + " 2", ".._y"]


def test_key_that_a_json_object_has_twice_is_refused(tmp_path, capsys):
    """JSON readers take the last: an observation, a template or a seed changed without a word."""
    path = tmp_path / "w.json"
    text = json.dumps(make_workspace())
    path.write_text(
        text.replace('"data": [55.0, 68.0]', '"data": [1.0, 1.0], "data": [55.0, 68.0]')
    )
    assert main(["fit", str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"taipan: error: {path}: key 'data' of the object named 'sr' is given twice "
        "(once is allowed)"
    )
    path.write_text('{"a": 1, "b": {"c": 1, "c": 1}}')
    with pytest.raises(TaipanError, match="key 'c' is given twice"):
        read_json(path)
    write_json(path, {"a": [{"b": 1}, {"b": 2}]})
    assert read_json(path) == {"a": [{"b": 1}, {"b": 2}]}


def test_wrong_ending_of_a_submission_is_found_before_the_fit(tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["--hepdata", str(tmp_path / "x.zip"), "--out", str(out)]
    assert main(["fit", write(tmp_path / "w.json", make_workspace()), *arguments]) == 1
    assert "a HEPData submission is a .tar.gz file" in capsys.readouterr().err
    assert not out.exists()


def test_result_is_printed_when_a_file_cannot_be_written(tmp_path, capsys):
    workspace = write(tmp_path / "w.json", make_workspace())
    out, blocked = tmp_path / "out.json", tmp_path / "w.json" / "tables"
    assert main(["fit", workspace, "--out", str(out), "--tables", str(blocked)]) == 1
    printed = capsys.readouterr()
    assert "68.27 % interval" in printed.out
    assert f"wrote {out}" in printed.out
    assert printed.err.startswith("taipan: error: cannot write")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), []),
        (("demo",), ["--config", "analysis=demo"]),
        (("demo", "-n"), ["--config", "analysis=demo", "-n"]),
        (("demo", "--config", "seed=3"), ["--config", "analysis=demo", "seed=3"]),
        (("other", "-n"), ["other", "-n"]),  # a rule of the workflow
        (("--configfile", "demo"), ["--configfile", "demo"]),
        (("../analyses/demo",), ["../analyses/demo"]),
    ],
)
def test_name_of_an_analysis_is_a_setting(
    tmp_path: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    (tmp_path / "config/analyses/demo").mkdir(parents=True)
    assert choose_analysis(words, tmp_path) == expected
