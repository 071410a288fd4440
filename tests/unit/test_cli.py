"""The command line: options of several values, completion, version, and nothing imported early."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from typing import get_args

import pytest
import rich_click as click

import taipan
from taipan.cli.fit import DATA_MODES, fit
from taipan.cli.main import COMPLETE, main
from taipan.cli.main import taipan as command
from taipan.cli.words import repeat_names
from taipan.commands.fit import FitOptions
from taipan.inference.blinding import Mode

SLOW = ("numpy", "pydantic", "yaml", "uproot", "pyhf", "matplotlib", "snakemake", "rich.markdown")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["--config", "a", "b", "--out", "c"], ["--config", "a", "--config", "b", "--out", "c"]),
        (["x", "--config", "a", "-n", "b"], ["x", "--config", "a", "-n", "b"]),
        (["--config"], ["--config"]),
        (["--config=a", "b"], ["--config=a", "b"]),
        (["--config", "a", "--", "--config", "b", "c"],
         ["--config", "a", "--", "--config", "b", "c"]),
        (["-C", "a=1", "b=2", "--config", "c=3"],
         ["-C", "a=1", "-C", "b=2", "--config", "c=3"]),
    ],
)  # fmt: skip
def test_option_takes_all_values_up_to_the_next_option(given: list[str], read: list[str]) -> None:
    assert repeat_names(given, {"--config", "-C"}) == read


def test_options_of_a_fit_are_those_that_it_is_asked_by() -> None:
    names = {parameter.name for parameter in fit.params}
    assert names == {field.name for field in fields(FitOptions)}
    defaults = {parameter.name: parameter.default for parameter in fit.params}
    for field in fields(FitOptions)[1:]:
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert defaults[field.name] == field.default
    assert get_args(Mode) == DATA_MODES


def test_every_command_and_option_has_a_word_of_help() -> None:
    def walk(name: str, found: click.Command) -> None:
        assert found.get_short_help_str(), name
        for parameter in found.params:
            if isinstance(parameter, click.Option) and not parameter.required:
                assert parameter.help or parameter.show_default, f"{name} {parameter.opts}"
        for other, item in getattr(found, "commands", {}).items():
            walk(f"{name} {other}", item)

    walk("taipan", command)
    assert len(command.commands) >= 9


def test_version_and_help_end_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"taipan {taipan.__version__}\n"
    assert main(["fit", "-h"]) == 0
    printed = capsys.readouterr().out
    assert "WORKSPACE.json" in printed
    assert "--lenient" in printed


def test_help_imports_nothing_that_is_slow() -> None:
    code = (
        "import sys; from taipan.cli.main import main; main(['fit', '--help']); "
        f"print([name for name in {SLOW} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("taipan comb", {"combine", "combine-results"}),
        ("taipan fit --mo", {"--mode"}),
        ("taipan fit w.json --mode a", {"asimov"}),
    ],
)
def test_shell_completes_commands_options_and_words(words: str, completed: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "taipan"],
        env={
            **os.environ,
            COMPLETE: "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == completed


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["skim", "a.root", "--out", "b", "--data", "--simulation"],
         "taipan skim: error: --simulation: not allowed with --data"),
        (["fit", "w.json", "--toys", "many"], "taipan fit: error: --toys: 'many' is not a valid"),
        (["provenance", "a", "\x1b[2Kb"], r"taipan provenance: error: Got unexpected extra argument"
         r" (\x1b[2Kb)"),
        (["combine", "a=b"], "taipan combine: error: Missing option '--out'"),
        (["fit", "w.json", "--level"], "taipan fit: error: Option '--level' requires an argument"),
    ],
)  # fmt: skip
def test_wrong_command_line_is_one_line_after_the_usage(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith(f"usage: taipan {words[0]} ")
    assert error.startswith(line)


def test_interruption_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("taipan.config.document.default_text", interrupt)
    with pytest.raises(KeyboardInterrupt):
        main(["config", "defaults"])
