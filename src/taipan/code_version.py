"""The version of the code that makes a result: a hash over every module that is reached."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import taipan
from taipan.checksums import file_digest
from taipan.errors import TaipanError

_PACKAGE = Path(taipan.__file__).parent
_CALLED = re.compile("import_module|import_room|__import__|load_analysis|load_simulation")
_LOADED = {"load_analysis": "selection.py", "load_simulation": "simulation.py"}
"""Function → file of the analysis' folder that it imports."""


def code_version(*roots: str | Path, analysis: str | Path | None = None) -> str:
    """Hash of modules or scripts and of every module of the project that they reach.

    Imports are followed wherever they stand, also within functions, but not those that only a type
    checker sees. Comments, docstrings, descriptions of configuration keys and layout do not count,
    so that mending a sentence re-runs nothing; nor does what a module does only as a program
    (``if __name__ == "__main__"``). Of a package whose module is imported, its ``__init__`` counts,
    but not what that imports for others.

    Parameters
    ----------
    roots
        Dotted names, such as ``taipan.skim.run``, or scripts as paths to ``.py`` files.
    analysis
        Folder of the analysis. Its ``selection.py`` counts where code that is reached calls
        ``load_analysis``, its ``simulation.py`` where it calls ``load_simulation``, each with the
        files of the folder that it imports.

    Returns
    -------
    str
        Sixteen hexadecimal digits, the same wherever the project lies.

    Raises
    ------
    TaipanError
        If a module does not exist or cannot be read.
    """
    digest = hashlib.sha256()
    found = reached_modules(*roots, analysis=analysis)
    for item in sorted(f"{_label(name)}:{_fingerprint(name)};" for name in found):
        digest.update(item.encode())
    return digest.hexdigest()[:16]


def reached_modules(*roots: str | Path, analysis: str | Path | None = None) -> frozenset[str]:
    """Names of all modules that :func:`code_version` counts; a script is named by its path.

    Parameters
    ----------
    roots, analysis
        As for :func:`code_version`.

    Raises
    ------
    TaipanError
        If a module does not exist or cannot be read.
    """
    found: set[str] = set()
    pending = [str(root) for root in roots]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        pending.extend(_imports(name))
        if analysis is not None:
            pending.extend(str(Path(analysis).resolve() / file) for file in _loaded_files(name))
    return frozenset(found | {parent for name in found for parent in _parents(name)})


def _is_script(name: str) -> bool:
    return name.endswith(".py")


def _label(name: str) -> str:
    """Name of a module; of a script without its folder, which differs between copies."""
    return Path(name).name if _is_script(name) else name


def _packages_of(name: str) -> list[str]:
    """Names of the packages that hold a module."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _parents(name: str) -> list[str]:
    """Name the packages whose ``__init__`` Python runs when it imports a module."""
    packages = [] if _is_script(name) else _packages_of(name)
    return [package for package in packages if _file_of(package) is not None]


@cache
def _file_of(name: str) -> Path | None:
    if _is_script(name):
        return Path(name) if Path(name).is_file() else None
    if name.split(".")[0] != "taipan":
        return _external_file(name)
    path = _PACKAGE.joinpath(*name.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _external_file(name: str) -> Path | None:
    """File of a module that lives outside the package, such as a user's analysis.

    Nothing is imported for that, as `importlib.util.find_spec` does with the packages above it.
    """
    folders: Sequence[str] | None = None
    origin: str | None = None
    for module in (*_packages_of(name), name):
        if origin is not None and folders is None:  # a module, not a package
            return None
        specs = (finder.find_spec(module, folders) for finder in sys.meta_path)
        spec = next((found for found in specs if found is not None), None)
        if spec is None:
            return None
        origin, folders = spec.origin or "", spec.submodule_search_locations
    return Path(origin) if origin and Path(origin).is_file() else None


def _existing_file(name: str) -> Path:
    path = _file_of(name)
    if path is None:
        raise TaipanError(f"module '{name}' does not exist")
    return path


def _source(name: str) -> str:
    path = _existing_file(name)
    if path.suffix != ".py":  # a compiled extension imports nothing that could be followed
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise TaipanError(f"{path} cannot be read: {error}") from error


@cache
def _tree(name: str) -> ast.Module:
    try:
        return ast.parse(_source(name))
    except (ValueError, SyntaxError) as error:
        raise TaipanError(f"{_file_of(name)} is not valid Python: {error}") from error


def _last_name(node: ast.expr) -> str | None:
    """`name` of the expressions ``name`` and ``module.name``."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


@cache
def _nodes(name: str) -> tuple[ast.AST, ...]:
    """Find imports and calls of a module, but not in blocks that are never run."""
    tree = _tree(name)
    has_calls = _CALLED.search(_source(name)) is not None
    found: list[ast.AST] = []
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Call)):
            found.append(node)
        if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
            pending.extend(node.orelse)
        elif _is_command(node) and not _is_script(name):
            continue
        elif has_calls or not isinstance(node, ast.expr):  # no statement lies in an expression
            pending.extend(ast.iter_child_nodes(node))
    return tuple(found)


@cache
def _imports(name: str) -> tuple[str, ...]:
    """Modules that a module imports, anywhere in it: of this package, or of the user."""
    names: set[str] = set()
    for node in _nodes(name):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names.add(alias.name)
                if alias.asname is None:  # makes the package known, with all that it imports
                    names.update(_packages_of(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.level and _is_script(name):
            names.update(_files_beside(node, Path(name)))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module or "", node.level, name)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call):
            names.update(_imported_by_call(node, name))
    return tuple(sorted(item for item in names if all(item.split(".")) and _is_own(item, name)))


def _files_beside(node: ast.ImportFrom, importer: Path) -> Iterator[str]:
    """Files that a file of a folder imports relative to itself (``from .cuts import PT``)."""
    base = importer.parents[node.level - 1].joinpath(*(node.module or "").split("."))
    for path in (base, *(base / alias.name for alias in node.names)):
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                yield str(candidate)


def _absolute(module: str, level: int, importer: str) -> str:
    """Full name of a module that is imported relative to another one."""
    if level == 0 or _is_script(importer):
        return module
    is_package = _existing_file(importer).name == "__init__.py"
    parts = importer.split(".")
    parents = parts[: len(parts) - level + is_package]
    return ".".join([*parents, *([module] if module else [])])


def _imported_by_call(node: ast.Call, importer: str) -> Iterator[str]:
    """Name the modules of ``import_module("…")``, ``__import__("…")`` and ``import_room("…")``.

    Only names that are written out are known.
    """
    called = _last_name(node.func)
    if called not in ("import_module", "import_room", "__import__") or not node.args:
        return
    argument = node.args[0]
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        module = argument.value.lstrip(".")
        name = _absolute(module, len(argument.value) - len(module), importer)
        yield name
        if called == "import_room" and (file := _file_of(name)) is not None:
            yield from (f"{name}.{path.stem}" for path in sorted(file.parent.glob("[!_]*.py")))


@cache
def _loaded_files(name: str) -> tuple[str, ...]:
    """Files of the analysis' folder that a module imports by functions that take the folder."""
    called = {_last_name(node.func) for node in _nodes(name) if isinstance(node, ast.Call)}
    return tuple(file for function, file in _LOADED.items() if function in called)


def _is_own(module: str, importer: str) -> bool:
    """Whether a module is of this package, or of a user and no installed library."""
    if _is_script(module):
        return True
    top, own = module.split(".")[0], importer.split(".")[0]
    if top == "taipan":
        return _file_of(module) is not None
    if own == "taipan" or top in sys.stdlib_module_names:
        return False
    if top != own and _is_installed(_file_of(top)):
        return False
    return _file_of(module) is not None


def _is_installed(path: Path | None) -> bool:
    return path is not None and bool({"site-packages", "dist-packages"} & set(path.parts))


@cache
def _fingerprint(name: str) -> str:
    path = _existing_file(name)
    if path.suffix != ".py":
        return file_digest(path)[:16]
    tree = _tree(name)
    if not _is_script(name):
        tree = ast.Module([node for node in tree.body if not _is_command(node)], [])
    return hashlib.sha256(_dump_code(tree).encode()).hexdigest()


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
