"""What was fixed before the data of the signal region were looked at.

A run notes, before its first job, the hashes of its configuration, catalogue and code, the limits
of its gates, and which files with data of the signal region were there already. Entries are only
added; each holds the hash of the one before it. An entry equal to the last one is not added.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.certify.lines import Line, judge, lack
from taipan.checksums import FOLDER
from taipan.errors import TaipanError
from taipan.provenance import hash_content

LEDGER = Path(FOLDER, "ledger.json")
"""File in the folder of the results, with the records, because it is no result of a rule."""
FIXED = ("config", "catalogue", "code", "gates")
_NAME = "unblinding ledger"
_LINK = "certificate.md"


def read_ledger(results: Path) -> list[dict[str, Any]]:
    """Read the entries of a ledger; none if there is no file.

    Raises
    ------
    TaipanError
        If an entry is not what was written: its hash is not the one that the next states.
    """
    path = results / LEDGER
    if not path.is_file():
        return []
    content = read_json(path)
    entries = content.get("entries") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise TaipanError(f"{path} is damaged: it has no entries")
    before = ""
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or entry.get("before") != before:
            raise TaipanError(f"{path}: entry {number} does not follow the one before it")
        before = hash_content(entry)
    if content.get("last") != before:
        raise TaipanError(f"{path}: entry {len(entries) - 1} is not what was written")
    return entries


def note_run(
    results: Path, *, config: str, catalogue: str, code: str, gates: Mapping[str, Any]
) -> None:
    """Add what a run has fixed, if it is not what the last entry says.

    Parameters
    ----------
    results
        Folder of the analysis in the results.
    config, catalogue, code
        Hashes.
    gates
        Section of the configuration → its keys, of every gate.

    Raises
    ------
    TaipanError
        If the ledger is damaged or cannot be written.
    """
    entries = read_ledger(results)
    fixed = {
        "config": config,
        "catalogue": catalogue,
        "code": code,
        "gates": hash_content(dict(gates)),
    }
    if entries and all(entries[-1].get(key) == fixed[key] for key in FIXED):
        return
    entry = {
        **fixed,
        "seen": list_seen(results),
        "before": hash_content(entries[-1]) if entries else "",
    }
    path = results / LEDGER
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TaipanError(f"{path.parent} cannot be made: {error.strerror}") from error
    write_json(path, {"entries": [*entries, entry], "last": hash_content(entry)})


def list_seen(results: Path) -> list[str]:
    """List the files of a run in which data of the signal region can be seen."""
    files = [results / "summary.json", *sorted(results.glob("fit/*.json"))]
    return [path.relative_to(results).as_posix() for path in files if _shows_data(path)]


def _shows_data(path: Path) -> bool:
    """Whether a result has an observed fit; one that cannot be read may have."""
    if not path.is_file():
        return False
    try:
        content = read_json(path)
    except TaipanError:
        return True
    return not isinstance(content, dict) or content.get("observed") is not None


def judge_ledger(results: Path, summary: Mapping[str, Any]) -> list[Line]:
    """Give the line of the ledger.

    Parameters
    ----------
    results
        Folder of the analysis in the results.
    summary
        Content of its ``summary.json``.
    """
    if summary["observed"] is None:
        return [lack(_NAME, _LINK, "the run is blinded: no data of the signal region were read")]
    link = LEDGER.as_posix()
    try:
        entries = read_ledger(results)
    except TaipanError as error:
        return [_judge(link, "damaged", passed=False, reason=str(error))]
    if not entries:
        return [_judge(link, "none", passed=False, reason="nothing was fixed before the data")]
    unseen = [entry for entry in entries if not entry["seen"]]
    if entries[0]["seen"] or not unseen:
        seen = ", ".join(entries[0]["seen"])
        return [
            _judge(
                link, "data first", passed=False, reason=f"{seen} had data before its first entry"
            )
        ]
    used = {key: summary["provenance"][key] for key in ("config", "catalogue", "code")}
    own = [entry for entry in entries if all(entry[key] == used[key] for key in used)]
    if not own:
        reason = "configuration and code of summary.json are in no entry"
        return [_judge(link, "another run", passed=False, reason=reason)]
    fixed, final = unseen[-1], own[-1]
    changed = [key for key in FIXED if fixed[key] != final[key]]
    later = len(entries) - len(unseen)
    if changed or later:
        what = ", ".join(changed) or "nothing of this result"
        return [
            Line(
                _NAME,
                f"changed after the data were seen: {what}",
                "nothing",
                "noted",
                link,
                f"{later} of {len(entries)} entries came after the data; say in the paper why",
            )
        ]
    return [_judge(link, f"entry {hash_content(fixed)}", passed=True, reason="")]


def _judge(link: str, figure: str, *, passed: bool, reason: str) -> Line:
    bound = "all fixed before the data were seen"
    return judge(_NAME, figure, bound, passed=passed, link=link, reason=reason)
