"""Figures drawn again from the numbers beside them."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest

from taipan.atomic import read_json
from taipan.cli.main import main
from taipan.errors import TaipanError
from taipan.jobs.figures import read_figures
from taipan.own_style import own_style
from taipan.plotting.parameters import breakdown_figure
from taipan.plotting.redraw import DRAWN_BY, draw_again
from taipan.plotting.style import house_style, save_figure
from taipan.style_file import read_style

NUMBERS = {
    "header": {"label": "Taipan", "luminosity": 1.0, "energy": 8.0},
    "observable": "m",
    "kind": "observed",
    "poi": "mu",
    "total": 5.0,
    "parts": {"theory": 4.0, "statistical": 3.0},
}
STAGES = Path(__file__).parents[2] / "src/taipan/stages"
ON_DEMAND = {"scan_auc", "scan_sigma", "scan_scores", "selection"}
"""Figures whose numbers are those of a whole scan."""


def test_every_figure_of_a_run_can_be_drawn_again() -> None:
    declared = {
        figure.plain_name
        for path in STAGES.glob("*.py")
        if "FIGURES = (" in path.read_text(encoding="utf-8")
        for figure in read_figures(path.stem)
    }
    assert len(declared) > 25
    found = {
        name
        for name in declared
        if any(name == key or name.startswith(f"{key}_") for key in DRAWN_BY)
    }
    assert declared - found <= ON_DEMAND


def test_the_same_numbers_give_the_same_figure(tmp_path: Path) -> None:
    first = {kind: tmp_path / f"breakdown_m.{kind}" for kind in ("pdf", "png", "json")}
    save_figure(breakdown_figure(NUMBERS), first, NUMBERS)
    out = tmp_path / "again"
    assert main(["plot", str(first["json"]), "--out", str(out)]) == 0
    for path in first.values():
        assert (out / path.name).read_bytes() == path.read_bytes()
    style = tmp_path / "my.mplstyle"
    style.write_text("font.size: 20\nlines.linewidth: 3\n", encoding="utf-8")
    other = tmp_path / "other"
    assert main(["plot", str(first["json"]), "--out", str(other), "--style", str(style)]) == 0
    assert (other / "breakdown_m.png").read_bytes() != first["png"].read_bytes()
    assert read_json(other / "breakdown_m.json") == NUMBERS


def test_a_style_acts_inside_its_block_alone(tmp_path: Path) -> None:
    style = tmp_path / "my.mplstyle"
    style.write_text("font.size: 20\n", encoding="utf-8")
    with own_style(read_style(style)), house_style():
        assert matplotlib.rcParams["font.size"] == 20.0
    with house_style():
        assert matplotlib.rcParams["font.size"] == 10.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("font.sice: 20\n", "line 1: 'font.sice' is not a setting of matplotlib; did you mean 'fo"),
        ("font.size: large letters\n", "font.size"),
    ],
)
def test_a_style_that_is_wrong_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    style = tmp_path / "my.mplstyle"
    style.write_text(text, encoding="utf-8")
    with pytest.raises(TaipanError, match=message):
        read_style(style)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.mplstyle", "^none.mplstyle: cannot be read as a style of matplotlib"),
        ("greyscale", "^greyscale: neither a file nor a style of .*; did you mean 'grayscale'"),
    ],
)
def test_a_style_that_is_not_there_is_one_line(name: str, message: str) -> None:
    with pytest.raises(TaipanError, match=message):
        read_style(name)


def test_styles_of_matplotlib_have_names() -> None:
    with own_style(read_style("grayscale")), house_style():
        assert matplotlib.rcParams["image.cmap"] == "gray"
    with house_style():
        assert matplotlib.rcParams["image.cmap"] != "gray"


def test_what_is_no_figure_is_named() -> None:
    with pytest.raises(TaipanError, match="'summary' is not the name of a figure"):
        draw_again("summary", {})
    with pytest.raises(TaipanError, match="not the numbers of this figure"):
        draw_again("breakdown_m", {"header": {}})
