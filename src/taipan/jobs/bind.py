"""Snakemake's job as arguments of a stage: by name, and nothing is left over.

An input, output, parameter or wildcard of the rule is the argument of the same name. Besides, a
stage may ask for `threads`, and for what changes no result and is therefore no parameter of a rule
(``config["unrecorded"]``: where files are read from, and how patiently).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from taipan.errors import TaipanError
from taipan.jobs.signature import REQUIRED, Argument, list_arguments, pack

AFTER = "after"
"""Name of inputs that a job waits for and that its stage does not read."""
CODE = "code"
"""Parameter that every rule has: the hash of its code."""
STYLE = "style"
"""Parameter of rules that draw, if figures have a style: its text."""
FIGURE_TYPES = ("pdf", "png", "json")
"""Files of a figure; outputs of a rule are named ``<figure>_<kind>``."""
UNRECORDED = "unrecorded"

_WORDS = {"input": "input", "output": "output", "params": "parameter", "wildcards": "wildcard"}

Names = Mapping[str, Collection[str]]
"""Names of what a rule has: of ``input``, ``output``, ``params`` and ``wildcards``."""


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
    given = {place: dict(getattr(job, place).items()) for place in _WORDS}
    given[UNRECORDED] = job.config.get(UNRECORDED, {})
    places = find_places(stage, job.rule, given)
    for place in ("input", "output"):
        if len(getattr(job, place)) > _count(given[place].values()):
            raise TaipanError(f"rule {job.rule}: an {place} has no name")
    values = {}
    for argument in list_arguments(stage):
        name = argument.name
        found = places[name]
        if found == "threads":
            values[name] = job.threads
        elif found == "figures":
            values[name] = collect_figures(given["output"])
        elif found == "groups":
            values[name] = local_files(given["params"][name], given["input"][name])
        elif found:
            values[name] = argument.convert(given[found][name])
        elif argument.default is REQUIRED:
            values[name] = None
    return pack(stage, values)


def find_places(stage: Callable[..., Any], rule: str, given: Names) -> dict[str, str]:
    """Find where a rule has the arguments of its stage.

    Parameters
    ----------
    stage
        The function.
    rule
        Name of the rule.
    given
        What it has.

    Returns
    -------
    dict
        Argument → ``input``, ``output``, ``params``, ``wildcards`` or ``unrecorded``; ``threads``,
        ``figures`` and ``groups`` (input and parameter) for those; empty if it may be absent.

    Raises
    ------
    TaipanError
        As :func:`bind_job`.
    """
    arguments = list_arguments(stage)
    found = {argument.name: _find_place(argument, rule, given) for argument in arguments}
    known = {*found, AFTER, CODE, STYLE}
    if "figures" in found.values():
        outputs = dict.fromkeys(given["output"], "")
        known |= {f"{name}_{kind}" for name in collect_figures(outputs) for kind in FIGURE_TYPES}
    for place in ("input", "output", "params"):
        unknown = sorted(set(given[place]) - known)
        if unknown:
            raise TaipanError(
                f"rule {rule}: its stage knows no {_WORDS[place]} '{unknown[0]}' "
                f"({', '.join(sorted(found))})"
            )
    return found


def _find_place(argument: Argument, rule: str, given: Names) -> str:
    name = argument.name
    if name == "threads":
        return "threads"
    if argument.is_figures:
        return "figures"
    places = [place for place in _WORDS if name in given[place]]
    if argument.is_grouped and places == ["input", "params"]:
        return "groups"
    if len(places) > 1:
        words = " and ".join(_WORDS[place] for place in places)
        raise TaipanError(f"rule {rule}: {name} is {words} (one of them)")
    if places and not argument.is_grouped:
        return places[0]
    if not places and name in given.get(UNRECORDED, ()):
        return UNRECORDED
    if argument.default is not REQUIRED or argument.may_be_absent:
        return ""
    needed = "input and parameter" if argument.is_grouped else ", ".join(_WORDS.values())
    raise TaipanError(f"rule {rule}: {name} is missing ({needed} of this name)")


def _count(values: Iterable[Any]) -> int:
    return sum(len(item) if isinstance(item, (list, tuple)) else 1 for item in values)


def collect_figures(outputs: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Figure → kind → file, of outputs that are named ``<figure>_<kind>``."""
    found: dict[str, dict[str, str]] = {}
    for name, path in outputs.items():
        figure, _, kind = name.rpartition("_")
        if figure and kind in FIGURE_TYPES:
            found.setdefault(figure, {})[kind] = str(path)
    return {name: files for name, files in found.items() if set(files) == set(FIGURE_TYPES)}


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
