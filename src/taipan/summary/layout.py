"""Numbers and tables as a terminal shows them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

ABSENT = "–"
"""In the place of a number that does not exist."""
# Decimals beyond which a small uncertainty is no longer spelled out.
_MAX_DECIMALS = 6


def plain_label(label: str) -> str:
    r"""Turn a label for plots into plain text: ``$p_{T}$`` becomes ``p_T``, ``t$\bar{t}$`` tt̄."""
    barred = re.sub(r"\\bar(\{\w\}|\s+\w)", lambda found: f"{found[1].strip('{} ')}\u0304", label)
    return re.sub(r"[${}\\]", "", barred)


def format_measurement(value: float, sigma: float, least: int = 0) -> str:
    """Write ``value ± sigma`` with two significant digits of `sigma`.

    Parameters
    ----------
    value, sigma
        Any unit.
    least
        Smallest number of decimals.
    """
    decimals = count_decimals(sigma, least)
    return f"{value:.{decimals}f} ± {sigma:.{decimals}f}"


def count_decimals(size: float, least: int) -> int:
    """Count the decimals that show two significant digits of a number, `least` at least."""
    if not size > 0:
        return least
    return min(_MAX_DECIMALS, max(least, 1 - math.floor(math.log10(size))))


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table with aligned columns; all but the first are flush right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    written = [_pad_row(line, widths) for line in lines]
    return "\n".join([written[0], f"| {' | '.join(rule)} |", *written[1:]])


def _pad_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell + " " * (width - _width(cell)) if i == 0 else " " * (width - _width(cell)) + cell
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _width(text: str) -> int:
    """Columns in a terminal: combining characters, such as the hat of μ̂, take none."""
    return sum(not unicodedata.combining(character) for character in text)
