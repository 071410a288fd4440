"""Which analysis module a command may import: code of the package, or what the user names."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from pathlib import Path

from taipan import analyses
from taipan.analysis import Analysis
from taipan.config.fields import nearest
from taipan.config.load import ANALYSES
from taipan.errors import TaipanError
from taipan.import_path import allow_module, project_folder


def is_own(module: str) -> bool:
    """Tell whether a module is of this package, whose code is trusted."""
    return module.startswith(f"{analyses.__name__}.")


def trusted_module(module: str, named: str | None) -> str:
    """Give the analysis module that a configuration file names, if it may be imported.

    To import a module is to execute it, and a configuration may come from anyone.

    Parameters
    ----------
    module
        Value of the key ``module``.
    named
        Module that the user names on the command line (``--module``).

    Raises
    ------
    TaipanError
        If it is not of this package and not the one that the user names; nothing is imported.
    """
    if is_own(module) or module == named:
        return module
    raise TaipanError(
        f"module: '{module}' is not of the package and would be executed; "
        f"if you trust it, say --module {module}"
    )


def find_analysis(name: str, root: Path) -> str:
    """Give the module of an analysis that the user names on the command line.

    Parameters
    ----------
    name
        Analysis of the package (``htautau``), or a module that is installed or lies in the folder
        of the project (``my_selection``, ``my_package.selection``).
    root
        Folder that holds ``config/``, for the message.

    Raises
    ------
    TaipanError
        If there is none of that name; says which there are.
    """
    own = f"{analyses.__name__}.{name}"
    if "." not in name and importlib.util.find_spec(own) is not None:
        return own
    allow_module(name, project_folder())
    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        found = False
    if found:
        return name
    known = sorted({*_own_analyses(), *(path.stem for path in (root / ANALYSES).glob("*.yaml"))})
    raise TaipanError(
        f"--analysis: '{name}' is not an analysis{nearest(name, known)} ({', '.join(known)}, or a "
        f"module that is installed or lies in {project_folder().resolve()})"
    )


def _own_analyses() -> list[str]:
    """Names of the modules of the package that define an analysis."""
    names = [info.name for info in pkgutil.iter_modules(analyses.__path__)]
    modules = {name: importlib.import_module(f"{analyses.__name__}.{name}") for name in names}
    return [
        name
        for name, module in modules.items()
        if isinstance(getattr(module, "ANALYSIS", None), Analysis)
    ]
