"""The tutorials and how-to pages as programs: files to write, commands to run.

A block of code with a title is a file: YAML is merged into what is there, Python replaces what has
the same name. A block of kind `console` has commands after `$`; all else in it is output.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs/tutorials").glob("*.md"), *(ROOT / "docs/howto").glob("*.md")])
BLOCK = re.compile(r"^( *)```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
IN_NO_RUN = ("config", "datasets", "new", "run")
"""Commands of `taipan` that need no finished run."""
ELSEWHERE = (
    "conda",
    "pixi",
    "podman",
    "reana-client",
    "cat",
    "cd",
    "git",
    "jupyter",
    "less",
    "ls",
    "pip",
    "python",
    "source",
    "squeue",
    "tmux",
    "xdg-open",
)
"""Programs that a page may name and that no test runs, but `cd` and `python FILE`."""


@dataclass(frozen=True)
class Block:
    """A block of code."""

    kind: str
    title: str
    text: str

    def commands(self) -> Iterator[list[str]]:
        """Yield the words of each command; a line that ends in a backslash goes on."""
        if self.kind == "console":
            for line in self.text.replace("\\\n", " ").splitlines():
                if line.startswith("$ "):
                    yield shlex.split(line.removeprefix("$ "), comments=True)


def read_blocks(path: Path) -> list[Block]:
    """Give the blocks of a page; those inside lists lose their indentation."""
    found = []
    for indent, kind, title, text in BLOCK.findall(path.read_text(encoding="utf-8")):
        lines = [line.removeprefix(indent) for line in text.splitlines()]
        found.append(Block(kind, title, "\n".join(lines) + "\n"))
    return found


def needs_results(words: list[str]) -> bool:
    """Tell whether a command reads what a run has left."""
    return words[0] == "taipan" and words[1] not in IN_NO_RUN


def write_block(block: Block, folder: Path) -> None:
    """Do what a reader does with a block that is a file."""
    path = folder / block.title
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if block.kind == "yaml":
        content = merge(yaml.safe_load(before) or {}, yaml.safe_load(block.text))
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    else:
        is_whole = not before or "\nANALYSIS = " in block.text
        text = block.text if is_whole else replace_names(before, block.text)
    path.write_text(text, encoding="utf-8")


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Put the keys of one mapping into another; null takes a key out."""
    merged = dict(old)
    for key, value in new.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def replace_names(before: str, after: str) -> str:
    """Put the top level of a Python text into another, which keeps its order and its last line."""
    lines = before.splitlines()
    places = {name: span for span in _spans(before) for name in span[2]}
    pieces = []
    for first, last, names in _spans(after):
        text = after.splitlines()[first:last]
        known = [places[name] for name in names if name in places]
        if known:
            start, end, _ = known[0]
            lines[start:end] = ["\n".join(text)] + [""] * (end - start - 1)
        else:
            pieces.append("\n".join(text))
    body = "\n".join(lines)
    head, build, tail = body.rpartition("\nANALYSIS = ")
    return "\n\n".join([head, *pieces, build.lstrip("\n") + tail]) + "\n"


def _spans(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    for node in ast.parse(text).body:
        names: tuple[str, ...] = ()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names = (node.name,)
        elif isinstance(node, ast.Assign):
            names = tuple(item.id for item in node.targets if isinstance(item, ast.Name))
        elif isinstance(node, ast.ImportFrom):
            names = (f"from {node.module}",)
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(item.lineno for item in decorators)])
        yield first - 1, node.end_lineno or first, names


END = re.compile(r"(?<=[.!?:])\s+(?=[A-ZΣμ\"(]|code)")
MARKS = re.compile(r"[*_`|]|\]\([^)]*\)|^ *(?:\d+\.|-|#+) +", re.MULTILINE)


def sentences(text: str) -> list[int]:
    """Give the number of words of each sentence of a page; code, tables and headings are none.

    A piece of code inside a sentence is one word.
    """
    text = BLOCK.sub("", text)
    lines = [line for line in text.splitlines() if not re.match(r" *(\||#|!)", line)]
    text = re.sub(r"`[^`]*`", "code", "\n".join(lines))
    text = MARKS.sub("", re.sub(r"\n(?= *(?:\d+\.|-) )", "\n\n", text)).replace("[", "")
    parts = [part for paragraph in re.split(r"\n\s*\n", text) for part in END.split(paragraph)]
    return [len(part.split()) for part in parts if len(part.split()) > 1]
