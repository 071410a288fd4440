"""Whose results a folder holds: two analyses of one name would overwrite each other's.

The folder of the results has the name of the analysis' folder, and analyses may lie anywhere. So a
run notes where its analysis lies, and another one of that name is refused there.
"""

from __future__ import annotations

from pathlib import Path

from taipan.analysis_folder import ANALYSIS_FILE
from taipan.atomic import write_text
from taipan.checksums import FOLDER

OWNER = Path(FOLDER, "analysis_folder")
"""File in the folder of the results: path of the analysis' folder, as seen from the project.

It lies with the records of the run, because it is no result of a rule.
"""


def claim_results(results: Path, folder: str) -> None:
    """Note that `results` are those of the analysis in `folder`."""
    owner = results / OWNER
    owner.parent.mkdir(parents=True, exist_ok=True)
    write_text(owner, f"{folder}\n")


def find_other_owner(results: Path, folder: str) -> str | None:
    """Give the folder of another analysis that `results` belong to; None if there is none.

    An analysis that was moved or removed owns nothing any more.

    Parameters
    ----------
    results
        Folder of the results of an analysis; it need not exist.
    folder
        Folder of the analysis that is to be run.
    """
    try:
        owner = (results / OWNER).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    if not Path(owner, ANALYSIS_FILE).is_file() or Path(owner).resolve() == Path(folder).resolve():
        return None
    return owner
