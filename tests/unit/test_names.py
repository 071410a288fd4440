"""A name means one thing: what modules share is defined once, what differs is called otherwise."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "taipan"

FRONTS = ("stages", "cli", "exchange")
"""A stage or a command is called as what it hands its files to: `build_workspace`, `skim`.

The formats of others have words of their own, such as the columns and the processes of a datacard.
"""
CONVENTIONS = {
    "Array": "arrays of the type that a module works with",
    "FIGURES": "figures of a stage",
    "class_loss": "a loss of several classes, in the file of the loss",
    "logger": "log of a module",
    "loss": "a loss, in a file of its own",
    "main": "what a program does",
    "train_classifier": "a kind of classifier, in a file of its own",
    "transverse_mass": "of arrays, and of objects that have them",
}


def defined(path: Path) -> Iterator[tuple[str, str]]:
    """Public names that a module defines, each with its text if it is a constant or an alias."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, ""
            continue
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            for item in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(item, ast.Name):
                    yield item.id, ast.unparse(node.value) if node.value is not None else ""


def is_type(text: str) -> bool:
    """Whether a text stands for a type, which modules may spell out again."""
    return "[" in text and "(" not in text and "{" not in text and text[0] != "["


def repeated(source: Path) -> dict[str, list[str]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(source.rglob("*.py")):
        place = path.relative_to(source)
        if place.parts[0] in FRONTS or "template" in place.parts:
            continue
        for name, text in defined(path):
            if not name.startswith("_") and name not in CONVENTIONS:
                found[name].append((str(place), text))
    return {
        name: [place for place, _ in places]
        for name, places in found.items()
        if len(places) > 1
        and not (len({text for _, text in places}) == 1 and is_type(places[0][1]))
    }


def test_a_public_name_is_defined_in_one_module() -> None:
    assert repeated(SOURCE) == {}


def test_a_second_definition_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("DATA = 'data'\nMask = NDArray[bool]\ndef fit(): ...\n")
    (tmp_path / "b.py").write_text("UP, DATA = 0, 1\nMask = NDArray[bool]\nclass fit: ...\n")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "draw.py").write_text("DATA = 'data'\n")
    assert repeated(tmp_path) == {"DATA": ["a.py", "b.py"], "fit": ["a.py", "b.py"]}
