"""Reading, merging and validating configuration files, with errors that a physicist can act on."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from taipan.analysis_folder import ANALYSIS_FILE, CATALOGUES, find_folder
from taipan.config.fields import (
    Fields,
    KeyPath,
    format_path,
    format_value,
    is_other_kind,
    nearest,
)
from taipan.config.merging import merge
from taipan.config.model import Config, Run
from taipan.config.networks import complete_networks, drop_inherited
from taipan.config.split_regions import expand_split_regions
from taipan.config.truth_bins import expand_truth_bins
from taipan.config.uncertainties import add_uncertainties
from taipan.corrections.base import PATH_KEYS
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.limits import refuse_large

RUN_FILE = Path("config/config.yaml")
_OF_A_RUN = {"analysis", "skims", "files", "results", "seed", "eras"}
"""Keys for which an analysis has no default: what is run, and where its files lie."""
_FILES = {"weights": ("file",), "corrections": PATH_KEYS}
"""Section → keys of its entries that hold paths of files."""
_MOST_VALUES = 1_000_000  # of a file
_EXPONENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")

Model = TypeVar("Model", bound=BaseModel)


class _UniqueKeys(yaml.SafeLoader):
    """YAML loader that refuses a key written twice (YAML would keep the last in silence)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.tag != "tag:yaml.org,2002:str":
                written = getattr(key, "value", "?")
                raise TaipanError(f"line {line}: key {written} is not text; put it in quotes")
            if key.value in seen:
                raise TaipanError(
                    f"line {line}: key '{key.value}' is a duplicate of line {seen[key.value]}; "
                    "keys must be unique"
                )
            seen[key.value] = line
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping; an empty file is an empty mapping.

    Raises
    ------
    TaipanError
        If the file is missing, is not valid YAML, has a duplicate key or is no mapping; names the
        file and the line.
    """
    refuse_large(path, "YAML")
    try:
        # the loader is a SafeLoader: it builds plain values only
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except OSError as error:
        raise TaipanError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TaipanError(f"{path}: is not UTF-8 text ({error.reason})") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise TaipanError(f"{path}: {line}not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise TaipanError(f"{path}: not valid YAML: {error}") from error
    except RecursionError as error:
        raise TaipanError(f"{path}: not valid YAML: nested too deeply") from error
    except TaipanError as error:
        raise TaipanError(f"{path}: {error}") from error
    _refuse_expansion(path, content)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise TaipanError(f"{path}: {format_value(content)} is not a mapping of keys to values")
    return content


def _refuse_expansion(path: Path, content: Any) -> None:
    """Refuse values that repeat each other (aliases) until they are absurdly many."""
    sizes: dict[int, int] = {}

    def count(value: Any) -> int:
        if not isinstance(value, dict | list):
            return 1
        if id(value) not in sizes:
            sizes[id(value)] = _MOST_VALUES  # while inside: one that holds itself is endless
            parts = value.values() if isinstance(value, dict) else value
            sizes[id(value)] = 1 + sum(map(count, parts))
        return sizes[id(value)]

    if count(content) > _MOST_VALUES:
        raise TaipanError(
            f"{path}: holds more than {_MOST_VALUES} values with its aliases written out"
        )


def check_files(paths: Iterable[Path | str]) -> None:
    """Check that each YAML file can be read and has no duplicate key.

    Snakemake merges the files it is given itself, with a reader that keeps the last of two equal
    keys in silence.

    Raises
    ------
    TaipanError
        One line a bad file.
    """
    problems: list[str] = []
    for path in paths:
        try:
            read_yaml(Path(path))
        except TaipanError as error:
            problems.append(str(error))
    _raise(problems)


def load_config(overrides: Mapping[str, Any], root: Path) -> Config:
    """Load an analysis, with its defaults for the run's keys, and put those of the run over it.

    Parameters
    ----------
    overrides
        ``config/config.yaml`` with the overlays merged over it. A null removes an entry of a
        mapping with free names (``systematics: {pileup: null}``).
    root
        Folder that holds ``config/``.

    Returns
    -------
    Config
        Validated configuration; :func:`taipan.checks.configuration.check_config` checks what needs
        more than one key.

    Raises
    ------
    TaipanError
        One line a problem: key path, bad value, what is allowed.
    """
    analysis = overrides.get("analysis", Run.model_fields["analysis"].default)
    if not isinstance(analysis, str):
        raise TaipanError(f"analysis: {format_value(analysis)} is not the name of an analysis")
    folder = find_folder(analysis, root)
    path = folder / ANALYSIS_FILE
    content = _place_files(read_yaml(path), folder)
    misplaced = sorted(content.keys() & _OF_A_RUN)
    if misplaced:
        raise TaipanError(
            f"{path}: {', '.join(misplaced)}: not a key of an analysis; "
            f"write it in {RUN_FILE} or an overlay"
        )
    # the default of one kind of classifier has nothing to say about another
    base = merge(Run().model_dump(mode="json", exclude={"classifier"}), content)
    problems: list[str] = []
    merged = _remove_nulls(merge(base, overrides), base, (), problems)
    _raise(problems)
    if "folder" in merged:
        raise TaipanError("folder: 'folder' is not a key; `analysis` takes the path of a folder")
    complete = expand_split_regions(expand_truth_bins(complete_networks(merged)))
    try:
        config = validate_keys(Config, {**complete, "analysis": folder.resolve().name})
    except TaipanError as error:
        raise TaipanError("\n".join(drop_inherited(str(error).splitlines()))) from error
    return add_uncertainties(config.model_copy(update={"folder": str(folder)}))


def _place_files(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Let the paths of files that count from the folder count as all others."""
    placed = dict(content)
    for section, keys in _FILES.items():
        entries_of = content.get(section)
        if isinstance(entries_of, Mapping):
            placed[section] = {
                name: _place(item, keys, folder) for name, item in entries_of.items()
            }
    return placed


def _place(item: Any, keys: Iterable[str], folder: Path) -> Any:
    """Place the files of an entry, and of the sections in it."""
    if not isinstance(item, Mapping):
        return item
    return {
        key: str(folder / os.path.expanduser(value))
        if key in keys and isinstance(value, str)
        else _place(value, keys, folder)
        for key, value in item.items()
    }


def read_config(files: Sequence[Path | str], root: Path, /, **keys: Any) -> Config:
    """Read ``config/config.yaml`` under `root`, merge the overlays `files` and load the result.

    Parameters
    ----------
    files
        Overlays, in the order in which they are merged.
    root
        Folder that holds ``config/``.
    **keys
        Top-level keys that are merged over those of the files, as Snakemake does.

    Raises
    ------
    TaipanError
        As :func:`load_config` and :func:`check_files`.
    """
    return load_config(merge_files(files, root, **keys), root)


def merge_files(files: Sequence[Path | str], root: Path, /, **keys: Any) -> dict[str, Any]:
    """Merge ``config/config.yaml`` and overlays; arguments as of :func:`read_config`.

    Raises
    ------
    TaipanError
        As :func:`check_files`.
    """
    paths = [root / RUN_FILE, *map(Path, files)]
    check_files(paths)
    merged: dict[str, Any] = functools.reduce(merge, map(read_yaml, paths), {})
    return merge(merged, keys)


def load_catalogue(config: Config) -> Catalogue:
    """Load the dataset catalogue that the configuration names, from the analysis' folder.

    Raises
    ------
    TaipanError
        One line a problem, each with the name of the file.
    """
    path = _choose_catalogue(config)
    content = read_yaml(path)
    try:
        catalogue = validate_keys(Catalogue, content)
    except TaipanError as error:
        lines = str(error).splitlines()
        raise TaipanError("\n".join(f"{path}: {line}" for line in lines)) from error
    if catalogue.name != path.stem:
        raise TaipanError(
            f"{path}: name: '{catalogue.name}' is not the name of the file ({path.stem})"
        )
    return catalogue


def dump(config: Config) -> dict[str, Any]:
    """Give the complete configuration as plain values that JSON can hold."""
    return config.model_dump(mode="json")


def _choose_catalogue(config: Config) -> Path:
    folder, name = Path(config.folder) / CATALOGUES, config.catalogue
    available = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in available:
        raise TaipanError(
            f"catalogue: {format_value(name)} is not a file of {folder}"
            f"{nearest(name, available)} ({', '.join(available) or 'there is none'})"
        )
    return folder / f"{name}.yaml"


def _remove_nulls(
    content: Mapping[str, Any], base: Any, path: tuple[str, ...], problems: list[str]
) -> dict[str, Any]:
    known = base if isinstance(base, Mapping) else {}
    kept: dict[str, Any] = {}
    for key, value in content.items():
        here = (*path, key)
        if isinstance(value, Mapping):
            kept[key] = _remove_nulls(value, known.get(key), here, problems)
        elif value is not None or not _fields(Config).has_free_names(path):
            kept[key] = value
        elif key not in known:
            problems.append(
                f"{format_path(here)}: null removes an entry, but there is none of that name"
                f"{nearest(key, known)} ({', '.join(known)})"
            )
    return kept


@functools.cache
def _fields(model: type[BaseModel]) -> Fields:
    return Fields(model)


def validate_keys(model: type[Model], content: Mapping[str, Any]) -> Model:
    """Validate plain values; one line a problem, with key path, bad value and what is allowed."""
    fields = _fields(model)
    problems = {
        format_path(path): f"{format_path(path)}: {format_value(value)} is not allowed "
        f"({fields.describe(node)})"
        for path, value in _leaves(content)
        if (node := fields.find(path)) is not None and not _has_kind(value, node.get("type"))
    }
    details: list[Any] = []
    try:
        validated = model.model_validate(content)
    except ValidationError as error:
        details += error.errors(include_url=False)
    for detail in details:
        if is_other_kind(detail, details):
            continue
        path = fields.real_path(detail["loc"])
        if detail["type"] == "extra_forbidden":  # a path that exists in no model
            path = [*fields.real_path(detail["loc"][:-1]), detail["loc"][-1]]
        elif detail["type"].startswith("union_tag"):
            path = [*path, detail["ctx"]["discriminator"].strip("'")]
        location = format_path(path)
        problems.setdefault(location, _explain(detail, path, fields))
    _raise(problems.values())
    return validated


def _has_kind(value: Any, kind: Any) -> bool:
    """Tell whether a plain value is of the kind that a key wants, without turning one into another.

    Python counts true as the number 1, and pydantic reads numbers and truths out of texts. A number
    such as 1e-3, for which YAML 1.1 wants a point (1.0e-3), is read as a text before it gets here.
    """
    if kind in ("integer", "number"):
        if isinstance(value, str):
            return kind == "number" and _EXPONENT.fullmatch(value) is not None
        return not isinstance(value, bool)
    return kind != "boolean" or value is None or isinstance(value, bool)


def _leaves(content: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(content, list | tuple):
        for i, value in enumerate(content):
            yield from _leaves(value, (*path, i))
    else:
        yield path, content


def _explain(detail: Mapping[str, Any], path: KeyPath, fields: Fields) -> str:
    """Turn one of pydantic's errors into a line that says key, value and what is allowed."""
    location = format_path(path)
    node = fields.find(path) or fields.walk(detail["loc"])[1]
    match detail["type"]:
        case "extra_forbidden":
            allowed = fields.walk(detail["loc"][:-1])[1].get("properties", {})
            bad = str(detail["loc"][-1])
            return f"{location}: '{bad}' is not a key{nearest(bad, allowed)} ({', '.join(allowed)})"
        case "union_tag_invalid":
            value = format_value(detail["ctx"]["tag"])
            return f"{location}: {value} is not allowed ({fields.describe(node)})"
        case "missing" | "union_tag_not_found":
            about = node.get("description")
            return f"{location}: missing ({fields.describe(node)}{': ' + about if about else ''})"
        case "value_error":
            return f"{location}: {detail['ctx']['error']}"
        case "recursion_loop":
            return f"{location}: refers to itself"
    if detail["loc"] and detail["loc"][-1] == "[key]":
        name = format_value(path[-1]) if path else "?"
        return f"{location}: {name} is not a valid name (letters, digits and _, a letter first)"
    return f"{location}: {format_value(detail['input'])} is not allowed ({_allowed(node, fields)})"


def _allowed(node: Mapping[str, Any], fields: Fields) -> str:
    keys = node.get("properties")
    if keys:
        return f"section with the keys {', '.join(keys)}"
    return fields.describe(node)


def _raise(problems: Iterable[str]) -> None:
    text = "\n".join(problems)
    if text:
        raise TaipanError(text)
