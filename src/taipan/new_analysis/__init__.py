"""The folder of a new analysis, which runs at once: ``taipan new demo``.

The files of ``template`` are those of an analysis called ``demo``, with a comment at each line. A
new one is a copy of them with another name.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from taipan.errors import TaipanError

TEMPLATE = Path(__file__).parent / "template"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORD = re.compile(r"\bdemo\b")


def make_analysis(name: str, place: Path) -> Path:
    """Make the folder of a new analysis.

    Parameters
    ----------
    name
        Name of the folder, and so of the results.
    place
        Folder in which it is made.

    Returns
    -------
    Path
        The new folder.

    Raises
    ------
    TaipanError
        If the name has other characters than letters, digits and ``_``, the folder is there
        already, or it cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise TaipanError(f"'{name}' is not a name (letters, digits and _, a letter first)")
    folder = place / name
    if folder.exists():
        raise TaipanError(f"{folder} is there already; choose another name, or remove it first")
    try:
        for path in sorted(TEMPLATE.rglob("*.*")):
            if "__pycache__" in path.parts or path.is_dir():
                continue
            target = folder / path.relative_to(TEMPLATE)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")
            target.write_text(_WORD.sub(name, text), encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise TaipanError(f"{folder} cannot be written: {error.strerror}") from error
    return folder
