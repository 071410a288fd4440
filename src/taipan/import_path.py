"""Where Python looks for modules: never in the working directory.

Python puts the working directory first on its search path in several ways (``python -m``,
``python -c``, an empty entry of ``PYTHONPATH``). A file ``pyhf.py`` beside a workspace would then
run in place of the library. The files of an analysis are found by the path of its folder
(:mod:`taipan.analysis_folder`).

This module imports nothing but the standard library, so that it can run before anything else.
"""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

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
