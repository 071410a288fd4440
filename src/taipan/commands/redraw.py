"""What the command ``taipan plot`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.atomic import read_json
from taipan.errors import TaipanError
from taipan.own_style import own_style
from taipan.plotting.redraw import draw_again
from taipan.plotting.style import save_figure
from taipan.style_file import read_style


def run_plot(numbers: Sequence[Path], out: Path, style: str | None) -> None:
    """Run ``taipan plot``.

    Parameters
    ----------
    numbers
        JSON files beside figures.
    out
        Folder that receives PDF, PNG and the numbers.
    style
        Style file of matplotlib, or the name of one of its styles; None for that of the project.

    Raises
    ------
    TaipanError
        If a file is none of a figure, or the style is not valid.
    """
    for path in numbers:
        if path.suffix != ".json":
            raise TaipanError(f"{path}: not the numbers of a figure (.json)")
    with own_style(None if style is None else read_style(style)):
        for path in numbers:
            content = read_json(path)
            files = {kind: out / f"{path.stem}.{kind}" for kind in ("pdf", "png", "json")}
            save_figure(draw_again(path.stem, content), files, content)
            print(f"wrote {files['pdf']} and .png")
