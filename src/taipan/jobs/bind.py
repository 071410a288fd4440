"""Snakemake's job as arguments of a stage: by name, and nothing is left over.

An input, output, parameter or wildcard of the rule is the argument of the same name. Besides, a
stage may ask for `threads`, and for what changes no result and is therefore no parameter of a rule
(``config["unrecorded"]``: where files are read from, and how patiently).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from taipan.errors import TaipanError
from taipan.jobs.signature import REQUIRED, Argument, list_arguments, pack

AFTER = "after"
"""Name of inputs that a job waits for and that its stage does not read."""
CODE = "code"
"""Parameter that every rule has: the hash of its code."""
KINDS = ("pdf", "png", "json")
"""Files of a figure; outputs of a rule are named ``<figure>_<kind>``."""

_PLACES = {"input": "input", "output": "output", "params": "parameter", "wildcards": "wildcard"}


def bind_job(stage: Callable[..., Any], job: Any) -> dict[str, Any]:
    """Find the arguments of a stage in a job.

    Lists of files by name (``Mapping[str, Sequence[str]]``) have an input and a parameter of their
    name: the parameter says which files are whose, as the workflow names them; the input has them
    in the same order, as this job finds them.

    Parameters
    ----------
    stage
        The function.
    job
        Snakemake's object of that name.

    Returns
    -------
    dict
        Keyword arguments of a call.

    Raises
    ------
    TaipanError
        If the rule lacks something, has something that the stage does not know, or has it twice.
    """
    given = {place: dict(getattr(job, place).items()) for place in _PLACES}
    arguments = list_arguments(stage)
    values = {}
    for argument in arguments:
        value = _find(argument, given, job)
        if value is not REQUIRED:
            values[argument.name] = value
    _refuse_unknown(arguments, given, job)
    return pack(stage, values)


def _find(argument: Argument, given: Mapping[str, Mapping[str, Any]], job: Any) -> Any:
    name = argument.name
    if name == "threads":
        return job.threads
    if argument.is_figures:
        return collect_figures(given["output"])
    places = [place for place, values in given.items() if name in values]
    if argument.is_grouped and places == ["input", "params"]:
        return local_files(given["params"][name], given["input"][name])
    if len(places) > 1:
        words = " and ".join(_PLACES[place] for place in places)
        raise TaipanError(f"rule {job.rule}: {name} is {words} (one of them)")
    if places and not argument.is_grouped:
        return argument.convert(given[places[0]][name])
    unrecorded = job.config.get("unrecorded", {})
    if not places and name in unrecorded:
        return argument.convert(unrecorded[name])
    if argument.default is not REQUIRED:
        return REQUIRED
    if argument.may_be_absent:
        return None
    needed = "input and parameter" if argument.is_grouped else ", ".join(_PLACES.values())
    raise TaipanError(f"rule {job.rule}: {name} is missing ({needed} of this name)")


def _refuse_unknown(
    arguments: Sequence[Argument], given: Mapping[str, Mapping[str, Any]], job: Any
) -> None:
    """Refuse what the stage would never see, for instance because its name is misspelt."""
    known = {argument.name for argument in arguments} | {AFTER, CODE}
    if any(argument.is_figures for argument in arguments):
        figures = collect_figures(given["output"])
        known |= {f"{name}_{kind}" for name in figures for kind in KINDS}
    for place in ("input", "output", "params"):
        unknown = sorted(set(given[place]) - known)
        if unknown:
            allowed = ", ".join(sorted(known - {AFTER, CODE}))
            raise TaipanError(
                f"rule {job.rule}: the stage knows no {_PLACES[place]} '{unknown[0]}' ({allowed})"
            )
        unnamed = len(getattr(job, place)) - _count(given[place].values())
        if unnamed:
            raise TaipanError(f"rule {job.rule}: {unnamed} {_PLACES[place]}s have no name")


def _count(values: Any) -> int:
    return sum(len(item) if isinstance(item, (list, tuple)) else 1 for item in values)


def collect_figures(outputs: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Figure → kind → file, of outputs that are named ``<figure>_<kind>``."""
    found: dict[str, dict[str, str]] = {}
    for name, path in outputs.items():
        figure, _, kind = name.rpartition("_")
        if figure and kind in KINDS:
            found.setdefault(figure, {})[kind] = str(path)
    return {name: files for name, files in found.items() if set(files) == set(KINDS)}


def local_files(
    by_dataset: Mapping[str, Sequence[str]], files: Sequence[Any]
) -> dict[str, list[str]]:
    """Give the files of each dataset where this job finds them.

    Without a shared file system the inputs of a job are copies under other names.

    Parameters
    ----------
    by_dataset
        Dataset → its files, as the workflow names them.
    files
        The same files in the same order, as the job has them.

    Raises
    ------
    TaipanError
        If there are more or fewer.
    """
    total = sum(map(len, by_dataset.values()))
    if total != len(files):
        raise TaipanError(f"{len(files)} files of events were given, expected {total}")
    found = iter(files)
    return {name: [str(next(found)) for _ in paths] for name, paths in by_dataset.items()}
