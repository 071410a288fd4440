"""A project where there is none: what the package ships of the workflow, laid out in a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from taipan.errors import TaipanError

SHIPPED = Path(__file__).parents[1] / "shipped"
"""Where ``setup.py`` puts the workflow; an editable install does not have it."""


def make_project(folder: Path, shipped: Path = SHIPPED) -> bool:
    """Lay out a project: workflow, scripts, profiles and the default configuration.

    Parameters
    ----------
    folder
        The folder, which may hold other files.
    shipped
        What the package ships.

    Returns
    -------
    bool
        Whether it was made; False if the package ships no workflow, because it is installed from a
        clone, which is a project itself.

    Raises
    ------
    TaipanError
        If a file or folder of the project is there already, or cannot be written.
    """
    if not (shipped / "Snakefile").is_file():
        return False
    names = sorted(path.name for path in shipped.iterdir())
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise TaipanError(f"{folder / there[0]} is there already; make the project in a new folder")
    try:
        shutil.copytree(shipped, folder, dirs_exist_ok=True)
        (folder / "run").chmod(0o755)
    except OSError as error:
        raise TaipanError(f"{folder} cannot be written: {error.strerror}") from error
    return True
