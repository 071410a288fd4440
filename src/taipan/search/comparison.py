"""The comparison of the best trial with the configuration, in a process of its own.

``python -m taipan.search.comparison FOLDER THREADS`` trains; :func:`decide_apart` starts it, waits,
and reads what it left. So the chief of a search never imports TensorFlow.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.config.sections.training import Training
from taipan.errors import TaipanError
from taipan.import_path import drop_folder
from taipan.scripting import configure_logging
from taipan.search.confirm import Candidate, Decision, SearchGain, decide, decide_untrained
from taipan.search.job import Search, read_search
from taipan.search.process import end_of_log, follow_parent, start_process

_CANDIDATES, _DECISION, _LOG = "confirm/candidates.json", "confirm/decision.json", "comparison.log"


def decide_apart(search: Search, configured: Candidate, found: Candidate, threads: int) -> Decision:
    """Decide as :func:`~taipan.search.confirm.decide` does, but train in another process.

    Parameters
    ----------
    search
        The search, written to its folder.
    configured, found, threads
        As there.

    Raises
    ------
    TaipanError
        As there, and if the process dies; shows the end of its log.
    """
    if (decision := decide_untrained(search, configured, found)) is not None:
        return decision
    (search.folder / _DECISION).unlink(missing_ok=True)
    (search.folder / _CANDIDATES).parent.mkdir(exist_ok=True)
    candidates = [_describe(candidate) for candidate in (configured, found)]
    write_json(search.folder / _CANDIDATES, candidates)
    path = search.folder / "logs" / _LOG
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as log:
        process = start_process(__name__, [str(search.folder), str(threads)], log, {})
        try:
            code = process.wait()
        finally:
            process.kill()
            process.wait()
    if code != 0 or not (search.folder / _DECISION).exists():
        raise TaipanError(f"tuning: the comparison died (status {code}):\n{end_of_log(path)}")
    return _read_decision(read_json(search.folder / _DECISION))


def _describe(candidate: Candidate) -> dict[str, Any]:
    settings = candidate.settings.model_dump(mode="json")
    return {"name": candidate.name, "settings": settings, "used": list(candidate.used)}


def _read_candidate(content: Mapping[str, Any]) -> Candidate:
    settings = Training.model_validate(content["settings"])
    return Candidate(content["name"], settings, tuple(content["used"]))


def _read_decision(content: Mapping[str, Any]) -> Decision:
    if "error" in content:
        raise TaipanError(content["error"])
    numbers = content["comparison"]
    gain = None
    if numbers is not None:
        lists = {name: tuple(numbers[name]) for name in ("folds", "gains", "errors")}
        gain = SearchGain(**lists, gain=numbers["gain"], error=numbers["error"])
    return Decision(content["taken"], content["reason"], gain)


def main(folder: Path, threads: int) -> None:
    """Compare the two candidates in the folder of a search and write the decision there."""
    configured, found = map(_read_candidate, read_json(folder / _CANDIDATES))
    try:
        decision = decide(read_search(folder), configured, found, threads)
    except TaipanError as error:
        write_json(folder / _DECISION, {"error": str(error)})
        return
    gain = None if decision.comparison is None else vars(decision.comparison)
    content = {"taken": decision.taken, "reason": decision.reason, "comparison": gain}
    write_json(folder / _DECISION, content)


if __name__ == "__main__":
    drop_folder()
    if len(sys.argv) != 3:
        sys.exit("python -m taipan.search.comparison FOLDER THREADS: both are needed")
    follow_parent()
    configure_logging()
    main(Path(sys.argv[1]), int(sys.argv[2]))
