"""Stages: their signature is the interface, for Snakemake and by hand."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import pytest
from snakemake.iocontainers import Namedlist

from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.jobs.bind import bind_job
from taipan.jobs.command import describe_arguments, make_command, read_section
from taipan.jobs.figures import Figure, FigureFiles, expand_figures, read_figures
from taipan.jobs.run import run_job
from taipan.jobs.signature import list_arguments
from taipan.plotting.style import house_style
from tests.conftest import ROOT

STAGES = sorted(path.stem for path in (ROOT / "src/taipan/stages").glob("[a-z]*.py"))


@dataclass(frozen=True)
class Opened:
    """Files that belong together.

    Attributes
    ----------
    events
        Dataset → files.
    scale
        File of the scale.
    """

    events: Mapping[str, Sequence[str]]
    scale: str


def stage(
    opened: Opened,
    number: int,
    edges: str | None,
    weights: Sequence[str],
    config: Config,
    threads: int,
    result: str,
    remote: Any = None,
) -> None:
    """Add things up.

    Parameters
    ----------
    opened
        Is replaced by its fields.
    number, edges
        A number, and where bins
        end.
    result
        File to write.
    """
    content = [opened.events, opened.scale, number, edges, weights, config.seed, threads, remote]
    Path(result).write_text(json.dumps(content), encoding="utf-8")


def draw(numbers: str, figures: FigureFiles) -> None:
    """Draw."""


def named(**values: Any) -> Namedlist:
    """Lists are several files of one name, as in the inputs of a job."""
    found = Namedlist()
    for name, value in values.items():
        start = len(found)
        items = value if isinstance(value, list) else [value]
        found.extend(items)
        found._set_name(name, start, end=len(found) if isinstance(value, list) else None)
    return found


def job(**changes: Any) -> SimpleNamespace:
    parts: dict[str, Any] = {
        "rule": "add",
        "input": named(
            events=["here/a", "here/b", "here/c"], scale="s", edges=[], weights=["w"], after=["x"]
        ),
        "output": named(result="r"),
        "params": Namedlist(
            fromdict={"events": {"S": ["a"], "B": ["b", "c"]}, "config": {"seed": 7}, "code": "0"}
        ),
        "wildcards": Namedlist(fromdict={"number": "3", "dataset": "S"}),
        "threads": 2,
        "config": {"unrecorded": {"remote": {"retries": 1}}},
        "log": ["l"],
    }
    return SimpleNamespace(**{**parts, **changes})


def test_job_is_bound_by_name() -> None:
    """Files of each dataset where the job has them; a wildcard is a number; no edges are none."""
    found = bind_job(stage, job())
    assert found.pop("config").seed == 7
    assert found == {
        "opened": Opened({"S": ["here/a"], "B": ["here/b", "here/c"]}, "s"),
        "number": 3,
        "edges": None,
        "weights": ["w"],
        "threads": 2,
        "result": "r",
        "remote": {"retries": 1},
    }


def test_slice_has_no_other_section() -> None:
    with pytest.raises(AttributeError, match="training"):
        _ = bind_job(stage, job())["config"].training


def test_default_is_taken_where_a_rule_has_nothing() -> None:
    assert "remote" not in bind_job(stage, job(config={}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": named(results="r")}, "result is missing (input, output, parameter, wildcard"),
        ({"output": named(result="r", more="m")}, "its stage knows no output 'more' (config,"),
        ({"output": named(result=["r", "q"])}, "result: 2 values are given (one value)"),
        ({"output": Namedlist(["r"])}, "result is missing"),
        ({"wildcards": Namedlist(fromdict={})}, "number is missing"),
        ({"wildcards": Namedlist(fromdict={"number": "x"})}, "number: 'x' is not allowed (an int"),
        (
            {"wildcards": Namedlist(fromdict={"number": "3", "result": "r"})},
            "result is output and wildcard (one of them)",
        ),
        (
            {"params": Namedlist(fromdict={"config": {}})},
            "events is missing (input and parameter of this name)",
        ),
        (
            {"params": Namedlist(fromdict={"events": {"S": ["a"]}, "config": {}})},
            "3 files of events were given, expected 1",
        ),
        (
            {"params": Namedlist(fromdict={"events": {}, "config": {}, "sead": 1})},
            "its stage knows no parameter 'sead'",
        ),
    ],
)
def test_rule_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaipanError) as caught:
        bind_job(stage, job(**changes))
    assert message in str(caught.value)


def test_output_without_a_name_is_refused() -> None:
    unnamed = named(result="r")
    unnamed.append("another")
    with pytest.raises(TaipanError, match="rule add: an output has no name"):
        bind_job(stage, job(output=unnamed))


def test_script_tells_in_one_line_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s").write_text("1", encoding="utf-8")
    files = named(events=[], scale=str(tmp_path / "s"), edges=[], weights=[])
    given = job(output=named(results="r"), input=files, log=[None])
    monkeypatch.setattr(sys.modules["__main__"], "snakemake", given, raising=False)
    with pytest.raises(SystemExit):
        run_job(stage)
    assert "stage: error: rule add: result is missing" in capsys.readouterr().err


def write_size(header: str, result: str) -> None:
    """Write the size of letters in figures."""
    with house_style():
        Path(result).write_text(f"{header} {matplotlib.rcParams['font.size']}", encoding="utf-8")


@pytest.mark.parametrize(("style", "size"), [({"style": "font.size: 17"}, 17.0), ({}, 10.0)])
def test_figures_of_a_rule_have_its_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: dict[str, str], size: float
) -> None:
    target = tmp_path / "result"
    given = SimpleNamespace(
        rule="draw", input=Namedlist(), output=named(result=str(target)), wildcards=Namedlist(),
        params=Namedlist(fromdict={"header": "h", "code": "0", **style}), config={},
        threads=1, log=[None],
    )  # fmt: skip
    monkeypatch.setattr(sys.modules["__main__"], "snakemake", given, raising=False)
    run_job(write_size)
    assert target.read_text(encoding="utf-8") == f"h {size}"


def test_figures_are_outputs_of_three_kinds() -> None:
    files = {f"{name}_{kind}": f"{name}.{kind}" for name in ("a_b", "c") for kind in
             ("pdf", "png", "json")}  # fmt: skip
    given = job(input=named(numbers="n"), output=named(**files), params=Namedlist())
    found = bind_job(draw, given)["figures"]
    assert found["a_b"] == {"pdf": "a_b.pdf", "png": "a_b.png", "json": "a_b.json"}
    assert list(found) == ["a_b", "c"]
    del files["c_png"]
    with pytest.raises(TaipanError, match="its stage knows no output 'c_json'"):
        bind_job(draw, job(input=given.input, output=named(**files), params=Namedlist()))


def test_a_figure_names_its_files_key_caption_and_labels() -> None:
    plain, fitted = Figure("roc", "Training"), Figure("prefit_{observable}", "Fit", "fit")
    assert (plain.path, plain.key, plain.caption_file) == ("roc", "roc", "roc.rst")
    assert plain.labels == {"Figure": "roc"}
    assert (fitted.path, fitted.key) == ("prefit_{observable}", "prefit")
    assert fitted.caption_file == "fit.rst"
    assert fitted.labels == {"Figure": "prefit", "Observable": "{observable}"}
    control = Figure("control_{region}", "Control plots")
    first, second = expand_figures([control], region=["a", "b"])
    assert (first.path, second.key) == ("control_a", "control_b")
    assert second.labels == {"Figure": "control", "Region": "b"}
    assert second.caption_file == "control.rst"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FIGURES = (Figure(name, 'Fit'),)", "Figure(name, 'Fit') is not allowed"),
        ("FIGURES = (other('a', 'Fit'),)", "other('a', 'Fit') is not allowed"),
        ("FIGURES = (Figure('a'),)", "Figure('a') is not allowed"),
        ("", "FIGURES is missing"),
    ],
)
def test_figures_that_cannot_be_read_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "plot.py").write_text(text, encoding="utf-8")
    with pytest.raises(TaipanError) as caught:
        read_figures("plot", tmp_path)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", [n for n in STAGES if n.startswith("plot_")])
def test_declared_figures_have_captions_and_are_drawn(name: str) -> None:
    source = (ROOT / f"src/taipan/stages/{name}.py").read_text(encoding="utf-8")
    declared = read_figures(name)
    assert declared
    for figure in declared:
        assert (ROOT / "workflow/report" / figure.caption_file).exists()
        assert source.count(f'"{figure.plain_name}"') + source.count(f'"{figure.name}') >= 2


def run_command(*words: str) -> int:
    with pytest.raises(SystemExit) as caught:
        make_command(stage).main(list(words))
    return int(caught.value.code or 0)


def test_stage_runs_by_hand(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 11\n", encoding="utf-8")
    words = ["--events", '{"S": ["a"]}', "--scale", "s", "--number", "4", "--weights", "u"]
    words += ["--weights", "v", "--config", str(tmp_path / "config.yaml")]
    assert run_command(*words, "--result", str(tmp_path / "r")) == 0
    content = json.loads((tmp_path / "r").read_text(encoding="utf-8"))
    assert content == [{"S": ["a"]}, "s", 4, None, ["u", "v"], 11, 1, None]


@pytest.mark.parametrize(
    ("events", "number", "config", "message"),
    [
        ("{", "4", "{}", "--events: '{' is not allowed (JSON, or a JSON or YAML file)"),
        ("{}", "four", "{}", "'four' is not a valid integer"),
        ("{}", "4", '{"fit": {"poi_rang": 1}}', "--config: poi_rang: Extra inputs are not"),
        ("{}", "4", '{"sead": 1}', "sead is no key (analysis, "),
    ],
)
def test_option_that_cannot_be_read_is_one_line(
    events: str, number: str, config: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--events", events, "--scale", "s", "--number", number, "--config", config]
    assert run_command(*words, "--result", "r") != 0
    written = capsys.readouterr().err
    assert message in written
    assert "Traceback" not in written


def test_help_is_the_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Add things up." in text
    assert "--events JSON, or a JSON or YAML file Dataset → files." in text
    assert "--edges TEXT A number, and where bins end." in text
    assert "Is replaced" not in text


def test_section_of_a_docstring() -> None:
    entries = "a, b : int\n    Both\n    lines."
    text = f"One.\n\nParameters\n----------\n{entries}\n\nReturns\n-------\nc\n    No."
    assert read_section(text, "Parameters") == {"a": "Both lines.", "b": "Both lines."}
    assert read_section(None, "Parameters") == {}


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_a_command(name: str) -> None:
    """Its last lines; what they import is no part of the code of the rule."""
    source = (ROOT / f"src/taipan/stages/{name}.py").read_text(encoding="utf-8")
    assert source.endswith(
        'if __name__ == "__main__":\n'
        "    from taipan.jobs.command import run_by_hand\n\n"
        f"    run_by_hand({name})\n"
    )


@pytest.mark.parametrize("name", STAGES)
def test_every_argument_of_a_stage_is_explained(name: str) -> None:
    """In its docstring, or in that of a container; nothing else is."""
    function = getattr(importlib.import_module(f"taipan.stages.{name}"), name)
    told = describe_arguments(function)
    assert {item.name for item in list_arguments(function)} - set(told) - {"threads"} == set()
    assert set(read_section(function.__doc__, "Parameters")) <= set(told)
