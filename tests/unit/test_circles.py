"""No module reaches itself, not even by an import within a function.

Import-linter compares rooms; a late import between single files would hide a circle from it, and
Python would not mind. Late imports are for libraries that take long to load.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "taipan"


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Statements that run: not those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield from statements(child)


def read_imports(source: Path) -> dict[str, set[str]]:
    """Module → modules that it imports, anywhere; its own packages do not count."""
    files = {path.relative_to(source.parent).with_suffix("") for path in source.rglob("*.py")}
    modules = {
        ".".join(path.parts).removesuffix(".__init__"): source.parent / path.with_suffix(".py")
        for path in files
        if "template" not in path.parts
    }
    found = {}
    for name, path in modules.items():
        used: set[str] = set()
        for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                used |= {node.module or "", *(f"{node.module}.{a.name}" for a in node.names)}
        found[name] = {m for m in used & set(modules) if m != name and not name.startswith(f"{m}.")}
    return found


def test_no_module_reaches_itself() -> None:
    imports = read_imports(SOURCE)
    assert "taipan.columns.derived" in imports["taipan.analysis_selection"]
    graphlib.TopologicalSorter(imports).prepare()


def test_a_circle_of_late_imports_is_found(tmp_path: Path) -> None:
    package = tmp_path / "taipan"
    package.mkdir()
    (package / "a.py").write_text("def f():\n    from taipan.b import g\n    return g\n")
    (package / "b.py").write_text("from taipan import a\ndef g(): ...\n")
    with pytest.raises(graphlib.CycleError, match="cycle"):
        graphlib.TopologicalSorter(read_imports(package)).prepare()
    (package / "b.py").write_text("if TYPE_CHECKING:\n    from taipan import a\ndef g(): ...\n")
    graphlib.TopologicalSorter(read_imports(package)).prepare()
