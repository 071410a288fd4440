"""Look of the figures, and writing them.

Figures are made without pyplot, so there is no global state and no window system. Every function
that makes one runs inside :func:`house_style`.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib
import mplhep
from matplotlib import cbook
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text

from taipan.atomic import replacing, write_json
from taipan.clean_text import escape_controls
from taipan.own_style import read_own_style
from taipan.style_file import parse_style

logger = logging.getLogger(__name__)

DPI = 110
UP, DOWN = "#c91f37", "#3f66c9"
SIGNAL_COLOUR = "#c91f37"
# six colours that stay apart for colour-blind readers (M. A. Petroff, arXiv:2107.02270)
CYCLE = ("#5790fc", "#f89c20", "#e42536", "#964a8b", "#9c9ca1", "#7a21dd")

_SIZE = 10.0
_SMALLEST = 4.0  # points
_LETTER = 0.078  # inches of a letter of a name at an axis
_OVERRIDES: dict[str, Any] = {
    "font.size": _SIZE,
    # the first font has no Greek letters: those come from the second
    "font.sans-serif": ["TeX Gyre Heros", "DejaVu Sans"],  # codespell:ignore heros
    "mathtext.fallback": "stixsans",
    "axes.unicode_minus": True,
    "axes.linewidth": 0.9,
    "axes.labelsize": _SIZE,
    "axes.titlesize": _SIZE,
    "xtick.labelsize": 0.85 * _SIZE,
    "ytick.labelsize": 0.85 * _SIZE,
    # minor ticks take half of the time of drawing a page
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "xtick.major.size": 5.0,
    "xtick.minor.size": 2.5,
    "xtick.major.pad": 3.5,
    "ytick.major.size": 5.0,
    "ytick.minor.size": 2.5,
    "legend.fontsize": 0.9 * _SIZE,
    "lines.linewidth": 1.2,
    "hatch.linewidth": 0.5,
    "savefig.dpi": DPI,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the CMS look of mplhep, at sizes that suit pages of several panels."""
    with matplotlib.rc_context({**mplhep.style.CMS, **_OVERRIDES, **_parse(read_own_style())}):
        yield


@lru_cache
def _parse(style: str | None) -> Mapping[str, Any]:
    return MappingProxyType({} if style is None else parse_style(style, "style"))


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure; sizes in inches."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def inch_margins(
    figure: Figure, left: float, right: float, bottom: float, top: float
) -> dict[str, float]:
    """Turn margins in inches into the keywords of a grid of axes."""
    width, height = figure.get_size_inches()
    return {
        "left": left / width,
        "right": 1.0 - right / width,
        "bottom": bottom / height,
        "top": 1.0 - top / height,
    }


def room_for_names(names: Iterable[str], least: float) -> float:
    """Give the inches that names at an axis take, with its ticks.

    Parameters
    ----------
    names
        The names.
    least
        Inches for short ones.
    """
    return max(least, 0.3 + _LETTER * max(map(len, names), default=0))


def add_header(left: Axes, right: Axes, header: Mapping[str, Any], text: str = "") -> None:
    """Write who made the data above one axes, and how many there are above another.

    Parameters
    ----------
    left, right
        First and last axes of the top row; may be the same.
    header
        ``label`` (its first word is set bold; may be empty), ``luminosity`` in fb⁻¹, ``energy`` in
        TeV, or None where it is not known; ``data`` is what the points are, if not data.
    text
        Short text after the label.
    """
    first, _, rest = str(header["label"]).partition(" ")
    label = (f"$\\bf{{{first}}}$" if first else "") + (
        f" $\\it{{{rest.replace(' ', chr(92) + ' ')}}}$" if rest else ""
    )
    style = {
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "annotation_clip": False,
    }
    written = left.annotate(f"{label}   {text}", (0, 1), (0, 5), size=1.1 * _SIZE, **style)
    energy = "" if header["energy"] is None else f" ({header['energy']:g} TeV)"
    luminosity = f"{header['luminosity']:.4g} fb$^{{-1}}${energy}"
    limit = right.annotate(luminosity, (1, 1), (0, 5), ha="right", **style)
    _keep_left_of(written, limit)


def _keep_left_of(text: Text, other: Text) -> None:
    """Make a text smaller until it ends before another one begins."""
    figure = text.figure
    if figure is None:
        return
    make_printable(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    end = other.get_window_extent(renderer).x0 - 0.5 * _SIZE
    while (box := text.get_window_extent(renderer)).x1 > end and text.get_size() > _SMALLEST:
        share = max(0.1, (end - box.x0) / box.width)
        text.set_size(max(_SMALLEST, 0.98 * text.get_size() * share))


def name_data(header: Mapping[str, Any]) -> str:
    """Name what the points are: data, or pseudo-data."""
    return str(header.get("data", "Data"))


def with_unit(label: str, unit: str) -> str:
    """Give the text of an axis, ``label (unit)``."""
    return f"{label} ({unit})" if unit else label


def find_unit(result: Mapping[str, Any], name: str) -> str:
    """Give the unit of a parameter of interest of a fit, empty for a factor."""
    return str(result.get("interests", {}).get(name, {}).get("unit", ""))


def name_axis(result: Mapping[str, Any], name: str) -> str:
    """Name the axis of a parameter of interest: its label, or its symbol, with its unit."""
    label = result.get("interests", {}).get(name, {}).get("label", "")
    symbol = f"${write_parameter(name)}$"
    return with_unit(f"{label}, {symbol}" if label else symbol, find_unit(result, name))


def write_parameter(name: str) -> str:
    """Write a parameter of the fit in mathematics, without the dollar signs."""
    if name in ("mu", "sigma"):
        return rf"\{name}"
    for word in ("mu", "sigma"):  # strength or cross section: its process is an index
        if name.startswith(f"{word}_"):
            return rf"\{word}_{{{write_parameter(name.removeprefix(f'{word}_'))}}}"
    return rf"\mathrm{{{name}}}".replace("_", r"\_")


def write_estimate(name: str) -> str:
    """Write the fitted value of a parameter in mathematics; a word gets no hat."""
    return re.sub(r"^\\mu\b", r"\\hat{\\mu}", write_parameter(name))


def write_result(value: float, sigma: float) -> str:
    """Write value ± uncertainty in mathematics, with two digits of the uncertainty at least."""
    decimals = 2 if sigma <= 0.0 else max(2, 1 - math.floor(math.log10(sigma)))
    return rf"{value:.{decimals}f} \pm {sigma:.{decimals}f}"


def shrink_to_fit(text: Text, axes: Axes) -> None:
    """Make a text smaller until it is not wider than its axes."""
    figure = axes.figure
    make_printable(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    room = 0.9 * axes.get_window_extent(renderer).width
    # letters are rounded to pixels: the width is not proportional to the size
    while (width := text.get_window_extent(renderer).width) > room and text.get_size() > _SMALLEST:
        text.set_size(max(_SMALLEST, 0.98 * text.get_size() * room / width))


def make_printable(figure: Figure) -> None:
    """Show texts that are not valid mathematics, and control characters, as they are written.

    Labels and names come from the configuration or from a workspace of anyone's; one with a single
    dollar sign must not end a run at its last figure.
    """
    parser = MathTextParser("path")
    for text in figure.findobj(Text):
        written = text.get_text()
        if written != escape_controls(written):
            text.set_text(written := escape_controls(written))
        try:
            if cbook.is_math_text(written):
                parser.parse(written)
        except ValueError:
            text.set_parse_math(False)


def save_figure(figure: Figure, outputs: Mapping[str, Path | str], numbers: Any) -> None:
    """Write a figure and its numbers; the same figure gives the same bytes.

    Parameters
    ----------
    figure
        The figure.
    outputs
        Path of each of ``pdf``, ``png`` and ``json``.
    numbers
        What the figure shows, as plain numbers.

    Raises
    ------
    TaipanError
        If a file cannot be written, or a number is not finite.
    """
    metadata = {"pdf": {"CreationDate": None}, "png": {"Software": None}}
    with house_style():
        make_printable(figure)
        for kind, entries in metadata.items():
            with replacing(outputs[kind]) as temporary:
                figure.savefig(temporary, format=kind, metadata=entries)
    write_json(outputs["json"], numbers)
    logger.info("%s written", Path(outputs["png"]).stem)
