"""Figures of a stage: declared once, in its file, and read from there by the workflow.

A stage with figures has a tuple ``FIGURES``. The workflow takes names, captions and categories from
its source without importing it: that would load matplotlib in every process that only plans.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import taipan
from taipan.errors import TaipanError

FigureFiles = Mapping[str, Mapping[str, str]]
"""Figure → ``pdf``, ``png`` and ``json`` → file to write."""

_PLACE = re.compile(r"_?\{(\w+)\}")


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    name
        Name of its files, without ending. In braces stands a wildcard of the rule, or something
        that the figure is made for each of: ``prefit_{observable}``, ``control_{region}``.
    category
        Where it stands in the report.
    caption
        File of `workflow/report/`, without ending; by default the name without what is in braces.
    values
        What was filled in for names in braces.
    """

    name: str
    category: str
    caption: str = ""
    values: tuple[tuple[str, str], ...] = ()

    @property
    def plain_name(self) -> str:
        """The name without what is in braces."""
        return _PLACE.sub("", self.name)

    @property
    def key(self) -> str:
        """Name of the figure within its rule."""
        return _PLACE.sub("", self.path)

    @property
    def path(self) -> str:
        """Name of its files, what is known filled in."""
        text = self.name
        for name, value in self.values:
            text = text.replace(f"{{{name}}}", value)
        return text

    @property
    def caption_file(self) -> str:
        """File with the caption."""
        return f"{self.caption or self.plain_name}.rst"

    @property
    def labels(self) -> dict[str, str]:
        """Texts by which it is chosen in the report."""
        known = dict(self.values)
        places = {
            name.capitalize(): known.get(name, f"{{{name}}}") for name in _PLACE.findall(self.name)
        }
        return {"Figure": self.plain_name, **places}


def read_figures(stage: str, folder: Path | None = None) -> tuple[Figure, ...]:
    """Read the figures that a stage declares.

    Parameters
    ----------
    stage
        Name of the stage; also of its file.
    folder
        Where stages are; by default those of the package.

    Raises
    ------
    TaipanError
        If the file declares none, or with something else than plain values.
    """
    path = (folder or Path(taipan.__file__).parent / "stages") / f"{stage}.py"
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TaipanError(f"{path} cannot be read: {error.strerror}") from error
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FIGURES":
            items = node.value.elts if isinstance(node.value, ast.Tuple) else []
            return tuple(_read_figure(path, item) for item in items)
    raise TaipanError(f"{path}: FIGURES is missing (a tuple of Figure(…))")


def _read_figure(path: Path, node: ast.expr) -> Figure:
    try:
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "Figure":
            raise ValueError("no call")
        values = [ast.literal_eval(item) for item in node.args]
        named = {str(item.arg): ast.literal_eval(item.value) for item in node.keywords}
        return Figure(*values, **named)
    except (ValueError, TypeError) as error:
        text = ast.unparse(node)
        raise TaipanError(f"{path}: FIGURES: {text} is not allowed (Figure of texts)") from error


def expand_figures(figures: Iterable[Figure], **values: Sequence[str]) -> list[Figure]:
    """Make a figure for each of some values, where its name has them in braces."""
    found = []
    for figure in figures:
        names = [name for name in _PLACE.findall(figure.name) if name in values]
        for chosen in product(*(values[name] for name in names)):
            found.append(replace(figure, values=tuple(zip(names, chosen, strict=True))))
    return found
