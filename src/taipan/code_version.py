"""The version of the code that makes a result: a hash over every module that is reached."""

from __future__ import annotations

import atexit
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import taipan
from taipan.checksums import file_digest
from taipan.code_facts import CodeFacts, is_script, packages_of, read_facts
from taipan.code_memory import KnownFacts, cache_beside
from taipan.errors import TaipanError

_PACKAGE = Path(taipan.__file__).parent


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
    for item in sorted(f"{_label(name)}:{_facts_of(name).fingerprint};" for name in found):
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
            pending.extend(str(Path(analysis).resolve() / file) for file in _facts_of(name).loaded)
    return frozenset(found | {parent for name in found for parent in _parents(name)})


def _label(name: str) -> str:
    """Name of a module; of a script without its folder, which differs between copies."""
    return Path(name).name if is_script(name) else name


def _parents(name: str) -> list[str]:
    """Name the packages whose ``__init__`` Python runs when it imports a module."""
    packages = [] if is_script(name) else packages_of(name)
    return [package for package in packages if _file_of(package) is not None]


@cache
def _file_of(name: str) -> Path | None:
    if is_script(name):
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
    for module in (*packages_of(name), name):
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


@cache
def _facts_of(name: str) -> CodeFacts:
    path = _existing_file(name)
    if path.suffix != ".py":  # a compiled extension imports nothing that could be followed
        return CodeFacts(file_digest(path)[:16])
    try:
        content = path.read_bytes()
        source = content.decode()
    except (OSError, ValueError) as error:
        raise TaipanError(f"{path} cannot be read: {error}") from error

    def read() -> CodeFacts:
        try:
            return read_facts(source, name, path.name == "__init__.py")
        except TaipanError as error:
            raise TaipanError(f"{path} {error}") from error

    if name.split(".")[0] != "taipan":  # of a user, and so of any number of folders
        return read()
    return _known_facts().find(name, content, read)


@cache
def _known_facts() -> KnownFacts:
    known = KnownFacts(cache_beside(__file__))
    atexit.register(known.save)  # once, and not for each of the rules that a process asks for
    return known


@cache
def _imports(name: str) -> tuple[str, ...]:
    """Modules that a module imports, anywhere in it: of this package, or of the user."""
    facts = _facts_of(name)
    names = {*facts.modules, *_files_beside(facts.files, Path(name))}
    for room in facts.rooms:
        if (file := _file_of(room)) is not None:
            names.update(f"{room}.{path.stem}" for path in file.parent.glob("[!_]*.py"))
    return tuple(sorted(item for item in names if _is_own(item, name)))


def _files_beside(stated: Iterable[str], importer: Path) -> Iterator[str]:
    for item in stated:
        path = Path(os.path.normpath(importer.parent / item))
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if candidate.is_file():
                yield str(candidate)


def _is_own(module: str, importer: str) -> bool:
    """Whether a module is of this package, or of a user and no installed library."""
    if is_script(module):
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
