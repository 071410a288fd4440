"""Names of files made from names that others chose: of regions, parameters, samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from taipan.errors import TaipanError

LONGEST = 64
"""Characters of a name; also HEPData's limit for a table."""


def make_file_names(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """Give a file name for each name, all different, in a folder or a HEPData submission.

    Characters other than letters, digits, space and ``.+-_`` become ``_``, so no name leads to
    another folder. Names that would be one file, where capitals and spaces do not count, are
    numbered.

    Parameters
    ----------
    names
        Any texts.
    longest
        Largest number of characters.
    """
    taken: set[str] = set()
    found = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9 .+_-]", "_", name)
        chosen, number = plain[:longest], 1
        while (file := chosen.lower().replace(" ", "_")) in taken:
            number += 1
            chosen = f"{plain[: longest - len(str(number)) - 1]} {number}"
        taken.add(file)
        found.append(chosen)
    return found


def check_submission_name(path: Path | str) -> None:
    """Refuse a HEPData submission of another ending.

    Raises
    ------
    TaipanError
        If `path` does not end in ``.tar.gz``.
    """
    if not str(path).endswith(".tar.gz"):
        raise TaipanError(f"{path}: a HEPData submission is a .tar.gz file")
