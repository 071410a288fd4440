"""HistFactory's XML files with their ROOT histograms, and patches of pyhf workspaces."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan.exchange.errors import ExchangeError
from taipan.suggestions import nearest

LARGEST_XML = 16 * 1024**2


def read_xml(path: Path) -> dict[str, Any]:
    """Read a HistFactory model with pyhf's reader.

    Parameters
    ----------
    path
        The top file, ``Combination``; the others and the ROOT files are found from its folder, or
        the one above it, as HistFactory writes them.

    Raises
    ------
    ExchangeError
        If a file is missing, damaged, too large, or declares entities.
    """
    from pyhf import readxml  # imports tqdm

    _refuse_xml(path)
    folders = [path.parent, path.parent.parent]
    problem = ""
    for folder in folders:
        for other in folder.glob("**/*.xml") if folder == path.parent else ():
            _refuse_xml(other)
        readxml.clear_filecache()
        try:
            with warnings.catch_warnings():  # pyhf validates with a deprecated jsonschema class
                warnings.simplefilter("ignore", DeprecationWarning)
                found: dict[str, Any] = readxml.parse(path, folder, validation_as_error=True)
            return _without_idle(found)
        except FileNotFoundError as error:
            problem = problem or f"{error.filename or error} is missing"
        except Exception as error:  # pyhf and uproot raise what they happen to meet
            problem = problem or " ".join(str(error).split())[:200] or type(error).__name__
        finally:
            readxml.clear_filecache()
    raise ExchangeError(f"{path}: {problem}")


def _without_idle(workspace: dict[str, Any]) -> dict[str, Any]:
    """Leave out settings of what acts on nothing, such as ``lumi`` without uncertainty."""
    used = {m["name"] for c in workspace["channels"] for s in c["samples"] for m in s["modifiers"]}
    measurements = []
    for item in workspace["measurements"]:
        config = item["config"]
        kept = [entry for entry in config["parameters"] if entry["name"] in used]
        measurements.append({**item, "config": {**config, "parameters": kept}})
    return {**workspace, "measurements": measurements}


def _refuse_xml(path: Path) -> None:
    try:
        with path.open("rb") as opened:
            raw = opened.read(LARGEST_XML + 1)
    except OSError as error:
        raise ExchangeError(f"cannot read {path}: {error.strerror}") from error
    if len(raw) > LARGEST_XML:
        raise ExchangeError(f"{path}: more than {LARGEST_XML // 1024**2} MiB of XML")
    if b"<!ENTITY" in raw:
        raise ExchangeError(f"{path}: declares entities, which HistFactory does not use")


def apply_patch(
    path: Path, workspace: Mapping[str, Any], patches: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """Apply one patch of a pyhf patch set.

    Parameters
    ----------
    path
        Of the patch set, for messages.
    workspace
        The background-only workspace it belongs to.
    patches
        Content of the patch set.
    name
        Of the patch.

    Raises
    ------
    ExchangeError
        If it is no patch set, has no such patch, belongs to another workspace, or does not fit.
    """
    import pyhf

    try:
        with warnings.catch_warnings():  # pyhf validates with a deprecated jsonschema class
            warnings.simplefilter("ignore", DeprecationWarning)
            found = pyhf.PatchSet(copy.deepcopy(dict(patches)))
    except Exception as error:  # of the schema, and of what is no dictionary
        reason = " ".join(str(error).split())[:200]
        raise ExchangeError(f"{path}: not a patch set: {reason}") from error
    known = [patch.name for patch in found.patches]
    if name not in known:
        raise ExchangeError(
            f"{path}: patch {name!r} is not there{nearest(name, known)} "
            f"({', '.join(known[:10])}{', ...' if len(known) > 10 else ''})"
        )
    try:
        found.verify(workspace)
    except pyhf.exceptions.PatchSetVerificationError as error:
        raise ExchangeError(
            f"{path}: the patches are of another workspace (the digests differ)"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return dict(found.apply(workspace, name))
    except Exception as error:  # jsonpatch raises what it happens to meet
        reason = " ".join(str(error).split())[:200]
        raise ExchangeError(f"{path}: patch {name!r} does not fit: {reason}") from error
