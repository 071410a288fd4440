"""Which analysis a command may run the code of: what is shipped, or what the user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taipan.analysis_folder import ANALYSES, code_files, find_folder, is_path, own_project
from taipan.config.load import read_config
from taipan.config.model import Config
from taipan.errors import TaipanError


def read_trusted(overlays: Sequence[str], root: Path, named: str | None) -> tuple[Config, Path]:
    """Read the configuration, and give the folder of its analysis if its code may be executed.

    Parameters
    ----------
    overlays
        Files that are merged over ``config/config.yaml``.
    root
        Folder that holds ``config/``.
    named
        Analysis that the user names on the command line, in place of the configuration's.

    Raises
    ------
    TaipanError
        As :func:`~taipan.config.load.read_config` and :func:`trusted_folder`.
    """
    keys = {} if named is None else {"analysis": named}
    config = read_config([*overlays], root, **keys)
    return config, trusted_folder(Path(config.folder), named)


def trusted_folder(folder: Path, named: str | None) -> Path:
    """Give the folder of an analysis whose code may be executed.

    A configuration may come from anyone, and so may the folder that it lies in. An analysis of the
    project that this package belongs to is trusted; a copy of it is too, if its code is the same.

    Parameters
    ----------
    folder
        Folder that the configuration names.
    named
        What the user names on the command line (``--analysis``), None if nothing.

    Returns
    -------
    Path
        `folder`, or the shipped one of which its code is a copy.

    Raises
    ------
    TaipanError
        If it is not trusted and not the one that the user names; nothing is imported.
    """
    own = _own_folder(folder.resolve().name)
    if own is not None and (own == folder.resolve() or _code(own) == _code(folder)):
        return own
    if named is not None and (own is None or is_path(named)):
        return folder
    known = "is not shipped with Taipan" if own is None else "differs from the one that is shipped"
    place = str(folder) if is_path(str(folder)) else f"./{folder}"
    raise TaipanError(
        f"analysis: '{folder}' {known}, and its code would be executed; if you trust it, say "
        f"--analysis {place}"
    )


def _own_folder(name: str) -> Path | None:
    project = own_project()
    folder = None if project is None else project / ANALYSES / name
    return folder if folder is not None and folder.is_dir() else None


def _code(folder: Path) -> dict[str, bytes]:
    """Python files of a folder by name."""
    files = code_files(folder)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def find_shipped(analysis: str, root: Path) -> Path:
    """Give the folder of an analysis: of `root` or, if it has none of that name, a shipped one.

    Raises
    ------
    TaipanError
        If there is none of that name; says which there are.
    """
    try:
        return find_folder(analysis, root)
    except TaipanError:
        own = None if is_path(analysis) else _own_folder(analysis)
        if own is None:
            raise
        return own
