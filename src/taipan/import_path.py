"""Where Python looks for modules: never in the working directory, except for one that is named.

Python puts the working directory first on its search path in several ways (``python -m``,
``python -c``, an empty entry of ``PYTHONPATH``). A file ``pyhf.py`` beside a workspace would then
run in place of the library. An analysis module of the project's folder is found by its name alone,
after everything that is installed.

This module imports nothing but the standard library, so that it can run before anything else.
"""

from __future__ import annotations

import ast
import os
import site
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

PROJECT = "TAIPAN_PROJECT"
"""Variable of the environment with the folder of the project, for the processes of a job."""
_OWN = Path(__file__).resolve().parents[1]


def drop_folder(folder: Path | str = "") -> None:
    """Take a folder off the search path, of this process and of those that it starts.

    Parameters
    ----------
    folder
        Folder; the working directory if empty. One that holds this package or those installed
        stays, because nothing could be imported without it.
    """
    os.environ["PYTHONSAFEPATH"] = "1"  # for `python -m` and `python -c` in other processes
    dropped = Path(folder).resolve()
    installed = {*map(Path, (*site.getsitepackages(), site.getusersitepackages())), _OWN}
    if dropped not in {path.resolve() for path in installed}:
        sys.path[:] = [path for path in sys.path if Path(path).resolve() != dropped]


def allow_module(name: str, folder: Path | str) -> None:
    """Let one module of a folder be imported, and those beside it that it imports.

    What is installed comes first, so that no file of the folder takes the place of a library.

    Parameters
    ----------
    name
        Dotted name of the module.
    folder
        Folder in which its first part lies.
    """
    finder = next((f for f in sys.meta_path if isinstance(f, _NamedFinder)), None)
    if finder is None:
        finder = _NamedFinder()
        sys.meta_path.append(finder)
    finder.allow(name.partition(".")[0], Path(folder).resolve())


def project_folder() -> Path:
    """Folder of analysis modules outside the package: that of the run, or the working directory."""
    return Path(os.environ.get(PROJECT) or Path())


class _NamedFinder(MetaPathFinder):
    """Finds modules by name in folders that are not on the search path."""

    def __init__(self) -> None:
        self._folders: dict[str, list[Path]] = {}

    def allow(self, name: str, folder: Path) -> None:
        """Look for the top-level module `name` in `folder`."""
        folders = self._folders.setdefault(name, [])
        if folder not in folders:
            folders.append(folder)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module that is allowed, and allow those that it names in import statements."""
        for folder in self._folders.get(name, ()) if path is None else ():
            PathFinder.invalidate_caches()  # it may have been written a moment ago
            found = PathFinder.find_spec(name, [str(folder)], target)
            if found is not None:
                for other in _imported_names(found):
                    self.allow(other, folder)
                return found
        return None


def _imported_names(spec: ModuleSpec) -> Iterator[str]:
    """Give the first parts of the names that a module, or any module of a package, imports."""
    files = [Path(spec.origin)] if spec.origin else []
    for folder in spec.submodule_search_locations or ():
        files += sorted(Path(folder).rglob("*.py"))
    for file in files:
        if file.suffix != ".py":
            continue
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue  # the import itself says what is wrong
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
