"""A name that does not exist gets the nearest one that does, on the command line too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taipan.cli.main import main


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    modifiers = [
        [{"name": "mu", "type": "normfactor", "data": None}],
        [{"name": "lumi_rate", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}],
    ]
    samples = [
        {"name": name, "data": [value], "modifiers": found}
        for name, value, found in zip(("s", "b"), (5.0, 50.0), modifiers, strict=True)
    ]
    content = {
        "channels": [{"name": "signal", "samples": samples}],
        "observations": [{"name": "signal", "data": [55.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--regions", "signl"], "region signl is not in the workspace; did you mean 'signal'?"),
        (["--scan", "lumi_rte"], "did you mean 'lumi_rate'?"),
        (["--regions", "xyz"], "region xyz is not in the workspace (signal)"),
    ],
)
def test_names_of_a_fit(
    workspace: Path, words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", str(workspace), *words]) == 1
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["ft"], "fit"),
        (["config", "chexk"], "check"),
        (["fit", "w.json", "--mode", "obsrved"], "observed"),
        (["fit", "w.json", "--regons", "a"], "--regions"),
        (["bundle", "--out", "b.zip", "--confgfile", "a"], "--configfile"),
    ],
)
def test_words_of_the_command_line(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as status:
        main(words)
    assert status.value.code == 2
    assert capsys.readouterr().err.rstrip().endswith(f"; did you mean '{meant}'?")


def test_names_of_a_combination(workspace: Path, tmp_path: Path, capsys: Any) -> None:
    words = ["combine", f"a={workspace}", f"b={workspace}", "--out", str(tmp_path / "o.json")]
    assert main([*words, "--correlate", "lumi=a:lumi_rte,b:lumi_rate"]) == 1
    assert "did you mean 'lumi_rate'?" in capsys.readouterr().err
