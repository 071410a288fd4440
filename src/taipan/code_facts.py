"""What the source of one module says: a hash of its code, and what it imports.

Here nothing is asked but the source itself, so the facts about a source never change.
:mod:`taipan.code_version` follows the imports, and keeps the facts for the next process.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from taipan.errors import TaipanError

_CALLED = re.compile("import_module|import_room|__import__|load_analysis|load_simulation")
_LOADED = {"load_analysis": "selection.py", "load_simulation": "simulation.py"}
"""Function → file of the analysis' folder that it imports."""


@dataclass(frozen=True)
class CodeFacts:
    """Facts about one source.

    Attributes
    ----------
    fingerprint
        Hash of its code, without comments, docstrings, descriptions and layout.
    modules
        Full names that it may import. Some are no modules: of ``from a import b`` nobody knows
        without looking whether ``a.b`` is one.
    rooms
        Full names of packages whose modules it imports all.
    files
        Paths that a script imports from its own folder, relative to that, without ending.
    loaded
        Files of the analysis' folder that it imports by functions that take the folder.
    """

    fingerprint: str
    modules: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()


def read_facts(source: str, name: str, is_package: bool) -> CodeFacts:
    """Read the facts from a source.

    Parameters
    ----------
    source
        Text of the module or script.
    name
        Dotted name of the module, or path of the script.
    is_package
        Whether it is the ``__init__`` of a package: relative imports then count from there.

    Raises
    ------
    TaipanError
        If the text is not Python.
    """
    try:
        tree = ast.parse(source)
    except (ValueError, SyntaxError) as error:
        raise TaipanError(f"is not valid Python: {error}") from error
    is_program = is_script(name)
    package = "" if is_program else name if is_package else name.rpartition(".")[0]
    nodes = list(_find_nodes(tree, is_program, _CALLED.search(source) is not None))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    called = {_last_name(node.func) for node in calls}
    rooms = set(_imported_by_call(calls, package, {"import_room"}))
    others = _imported_by_call(calls, package, {"import_module", "__import__"})
    modules = {*_imported_modules(nodes, package), *others, *rooms}
    code = _dump_code(tree if is_program else _without_command(tree))
    return CodeFacts(
        hashlib.sha256(code.encode()).hexdigest(),
        tuple(sorted(module for module in modules if all(module.split(".")))),
        tuple(sorted(rooms)),
        tuple(sorted(set(_imported_files(nodes)))) if is_program else (),
        tuple(file for function, file in _LOADED.items() if function in called),
    )


def is_script(name: str) -> bool:
    """Whether a name is the path of a script, and not that of a module."""
    return name.endswith(".py")


def packages_of(name: str) -> list[str]:
    """Names of the packages that hold a module."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _find_nodes(tree: ast.Module, is_program: bool, has_calls: bool) -> Iterator[ast.AST]:
    """Find imports and calls of a module, but not in blocks that are never run."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Call)):
            yield node
        if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
            pending.extend(node.orelse)
        elif not is_program and _is_command(node):
            continue
        elif has_calls or not isinstance(node, ast.expr):  # no statement lies in an expression
            pending.extend(ast.iter_child_nodes(node))


def _last_name(node: ast.expr) -> str | None:
    """`name` of the expressions ``name`` and ``module.name``."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def _imported_modules(nodes: Iterable[ast.AST], package: str) -> Iterator[str]:
    """Name what is imported by statements; what a script imports from beside it is a file."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
                if alias.asname is None:  # makes the package known, with all that it imports
                    yield from packages_of(alias.name)
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = _absolute(node.module or "", node.level, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _imported_files(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Files that a file of a folder imports relative to itself (``from .cuts import PT``)."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [".", *[".."] * (node.level - 1), *(node.module or "").split(".")]
            yield "/".join(filter(None, base))
            yield from ("/".join(filter(None, [*base, alias.name])) for alias in node.names)


def _absolute(module: str, level: int, package: str) -> str:
    """Full name of a module that is imported relative to a package."""
    if level == 0 or not package:
        return module
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])


def _imported_by_call(
    calls: Iterable[ast.Call], package: str, functions: Container[str]
) -> Iterator[str]:
    """Name the modules of calls such as ``import_module("…")``.

    Only names that are written out are known.
    """
    for node in calls:
        argument = node.args[0] if node.args else None
        if _last_name(node.func) not in functions or not isinstance(argument, ast.Constant):
            continue
        if isinstance(argument.value, str):
            module = argument.value.lstrip(".")
            yield _absolute(module, len(argument.value) - len(module), package)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_description(node: Any) -> bool:
    """Whether an argument is the text that the manual has of a configuration key."""
    return isinstance(node, ast.keyword) and node.arg == "description"


def _is_command(node: ast.AST) -> bool:
    """Whether a statement runs only where its module is the program."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def _without_command(tree: ast.Module) -> ast.Module:
    return ast.Module([node for node in tree.body if not _is_command(node)], [])


def _dump_code(node: ast.AST) -> str:
    """Dump of a tree without the texts that only document.

    Empty fields are left out: newer versions of Python have more of them, and the hash of the same
    code must not depend on the version.
    """
    parts = [type(node).__name__]
    is_field = isinstance(node, ast.Call) and _last_name(node.func) == "Field"
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            items = [item for item in value if not (isinstance(item, ast.stmt) and _is_text(item))]
            if is_field:
                items = [item for item in items if not _is_description(item)]
        else:
            items = [value]
        if (items == [] or items == [None]) and not isinstance(node, ast.Constant):
            continue
        dumped = (_dump_code(item) if isinstance(item, ast.AST) else repr(item) for item in items)
        parts.append(f"{name}=[{','.join(dumped)}]")
    return f"{parts[0]}({';'.join(parts[1:])})"
