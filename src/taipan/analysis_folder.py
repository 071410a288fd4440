"""The folder of an analysis: where it lies, and how its Python files are imported.

``config/analyses`` has some. A folder holds ``analysis.yaml`` (samples, regions, fit),
``selection.py`` (objects and quantities), ``datasets/*.yaml`` and, if it wants, ``corrections/``,
``simulation.py`` and further Python files. A file imports another one of its folder as
``from .cuts import MUON_PT``.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

import taipan
from taipan.errors import TaipanError
from taipan.suggestions import nearest

ANALYSES = Path("config/analyses")
"""Folder of the analyses of a project."""
ANALYSIS_FILE = "analysis.yaml"
DEFAULT_ANALYSIS = "htautau"
"""The analysis of a run that names none."""
CATALOGUES = "datasets"
_PACKAGE = "taipan_analysis_"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def own_project() -> Path | None:
    """Folder of the project that this package belongs to, or that of the analyses in a wheel.

    None if neither is there, as in a copy of the library alone.
    """
    package = Path(taipan.__file__).resolve().parent
    places = (package.parents[1], package / "shipped")  # the latter is made by setup.py
    return next((place for place in places if (place / ANALYSES).is_dir()), None)


def is_path(analysis: str) -> bool:
    """Tell whether an analysis is named by the path of its folder (``./mine``), not by name."""
    return os.sep in analysis or analysis.startswith(("~", "."))


def analysis_names(root: Path) -> list[str]:
    """Names of the analyses of the project `root`."""
    return sorted(path.parent.name for path in (root / ANALYSES).glob(f"*/{ANALYSIS_FILE}"))


def find_folder(analysis: str, root: Path) -> Path:
    """Give the folder of an analysis.

    Parameters
    ----------
    analysis
        Name of a folder of ``config/analyses``, or path of a folder with a ``/`` in it; a relative
        one counts from the working directory.
    root
        Folder that holds ``config/``.

    Returns
    -------
    Path
        Relative to the working directory where it lies in it, so that a project can be moved.

    Raises
    ------
    TaipanError
        If there is none, or its name has other characters than letters, digits and ``_``.
    """
    if not is_path(analysis):
        names = analysis_names(root)
        if analysis not in names:
            hint = f"; the folder in the working directory is './{analysis}'"
            raise TaipanError(
                f"analysis: '{analysis}' is not a folder of {root / ANALYSES}"
                f"{nearest(analysis, names)} ({', '.join(names) or 'there is none'}, or the path "
                f"of a folder, with a /{hint if Path(analysis, ANALYSIS_FILE).is_file() else ''})"
            )
        return _shorten(root / ANALYSES / analysis)
    folder = Path(os.path.expanduser(analysis))
    if not (folder / ANALYSIS_FILE).is_file():
        raise TaipanError(
            f"analysis: '{analysis}' is not the folder of an analysis: it has no {ANALYSIS_FILE} "
            f"(seen from {Path.cwd()})"
        )
    if not _NAME.fullmatch(folder.resolve().name):
        raise TaipanError(
            f"analysis: '{analysis}': the name of the folder is also that of the results: letters, "
            "digits and _ are allowed, a letter first"
        )
    return _shorten(folder)


def _shorten(folder: Path) -> Path:
    """Write a path from the working directory, if it lies in it."""
    try:
        return folder.resolve().relative_to(Path.cwd().resolve())
    except ValueError:
        return folder.resolve()


def shipped_folder(name: str) -> Path:
    """Folder of an analysis of the project that this package belongs to.

    Raises
    ------
    TaipanError
        If there is none of that name.
    """
    return find_folder(name, own_project() or Path())


def code_files(folder: Path) -> list[Path]:
    """Python files of an analysis, in the folder and in folders in it."""
    hidden = {"__pycache__", "results"}
    return sorted(
        path for path in folder.rglob("*.py") if not hidden & {*path.relative_to(folder).parts}
    )


def import_part(folder: str | Path, part: str) -> ModuleType:
    """Import a Python file of an analysis, which executes it.

    The caller has made sure that the user wants that.

    Parameters
    ----------
    folder
        Folder of the analysis.
    part
        Name of the file without ``.py``: ``selection``, ``simulation``.

    Returns
    -------
    ModuleType
        The module; a second call gives the same one.

    Raises
    ------
    TaipanError
        If there is no such file, or whatever it raises.
    """
    file = Path(folder, f"{part}.py")
    if not file.is_file():
        raise TaipanError(f"{file} does not exist; the analysis needs it")
    package = _package_of(file.resolve().parent)
    try:
        return importlib.import_module(f"{package}.{part}")
    except TaipanError as error:
        raise TaipanError(f"{file}: {error}") from error
    except Exception as error:  # the file is the user's: whatever it raises is their message
        explained = explain_own_error(error) or f"{type(error).__name__}: {error}"
        raise TaipanError(f"{file} cannot be imported ({explained})") from error


def explain_own_error(error: BaseException) -> str | None:
    """Say in one line what went wrong in the Python files of an analysis, and where.

    Parameters
    ----------
    error
        An exception that was raised.

    Returns
    -------
    str or None
        ``selection.py, line 24, in muons: AttributeError: ...``: the last line of the analysis'
        files that ran; None if none of them did.
    """
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__", "")).startswith(_PACKAGE):
            found = frame.f_code, line
    if found is None:
        return None
    code, line = found
    place = f"{Path(code.co_filename).name}, line {line}"
    place += "" if code.co_name == "<module>" else f", in {code.co_name}"
    said = next((text.strip() for text in str(error).splitlines() if text.strip()), "")
    return f"{place}: {type(error).__name__}" + (f": {said}" if said else "")


def _package_of(folder: Path) -> str:
    """Make a package of a folder, so that its files can import each other, and give its name.

    Two folders of the same name are two packages.
    """
    place = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    name = f"{_PACKAGE}{folder.name}_{place}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_loader(name, loader=None, is_package=True)
        if spec is None or spec.submodule_search_locations is None:
            raise TaipanError(f"{folder} cannot be made a package")
        spec.submodule_search_locations.append(str(folder))
        sys.modules[name] = importlib.util.module_from_spec(spec)
    importlib.invalidate_caches()  # a file may have been written a moment ago
    return name
