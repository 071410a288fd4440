"""Opening pyhf workspaces, ours or anyone's."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyhf

from taipan.inference.errors import FitError
from taipan.inference.interpolation import NORM_CODES, SHAPE_CODES
from taipan.inference.size import check_size
from taipan.inference.structure import check_measurement, check_structure
from taipan.suggestions import nearest

# what pyhf logs is in the error, or checked before; without a handler it goes to the terminal
logging.getLogger("pyhf").addHandler(logging.NullHandler())

Array = npt.NDArray[np.float64]
_CODES = {"normsys": NORM_CODES, "histosys": SHAPE_CODES}


@dataclass(frozen=True)
class Opened:
    """A workspace as pyhf reads it.

    Attributes
    ----------
    model
        pyhf model of the chosen measurement.
    observed
        Counts and auxiliary measurements.
    codes
        Interpolation code of each kind of modifier.
    settings
        Parameter → its entry in the chosen measurement.
    """

    model: Any
    observed: Array
    codes: Mapping[str, str]
    settings: Mapping[str, Mapping[str, Any]]


@contextmanager
def numpy_backend() -> Iterator[None]:
    """Use pyhf's NumPy backend inside the block, and the caller's after it."""
    tensorlib, optimizer = pyhf.get_backend()
    pyhf.set_backend("numpy")
    try:
        yield
    finally:
        pyhf.set_backend(tensorlib, optimizer)


def open_workspace(
    workspace: Mapping[str, Any],
    measurement: str | None = None,
    interpolation: Mapping[str, str] | None = None,
) -> Opened:
    """Read a workspace with pyhf.

    Parameters
    ----------
    workspace
        pyhf workspace (schema 1.0.0).
    measurement
        Name of the measurement; the first one by default.
    interpolation
        Interpolation codes that differ from pyhf's defaults.

    Raises
    ------
    FitError
        If the workspace is not valid or too large, pyhf refuses it, or the measurement or code does
        not exist; names region, sample, modifier or parameter.
    """
    codes = {kind: allowed[0] for kind, allowed in _CODES.items()}
    for kind, code in (interpolation or {}).items():
        if code not in _CODES.get(kind, ()):
            known = "; ".join(f"{name}: {', '.join(values)}" for name, values in _CODES.items())
            raise FitError(f"interpolation {kind}: {code!r} is not offered ({known})")
        codes[kind] = code
    validate_workspace(workspace)
    chosen = _choose_measurement(workspace, measurement)
    check_measurement(workspace, chosen)
    check_size(workspace)
    try:
        with np.errstate(all="ignore"), _old_jsonschema():
            opened = pyhf.Workspace(copy.deepcopy(dict(workspace)), validate=False)
            model = opened.model(
                measurement_name=chosen["name"],
                validate=False,  # it was, as a part of the workspace
                modifier_settings={kind: {"interpcode": code} for kind, code in codes.items()},
            )
            observed = np.asarray(opened.data(model), dtype=np.float64)
    except (
        pyhf.exceptions.InvalidSpecification,
        pyhf.exceptions.InvalidModel,
        pyhf.exceptions.InvalidModifier,
        pyhf.exceptions.InvalidMeasurement,
        pyhf.exceptions.InvalidNameReuse,
        pyhf.exceptions.InvalidWorkspaceOperation,
        *(TypeError, ValueError, LookupError, OverflowError),  # numbers out of range, lengths
        AssertionError,  # staterror of some of the bins of a region
    ) as error:
        raise FitError(f"pyhf refuses the workspace: {_one_line(error)}") from error
    if model.config.poi_index is None:
        raise FitError(f"measurement {chosen['name']}: the workspace has no parameter of interest")
    settings = {item["name"]: item for item in chosen["config"]["parameters"]}
    return Opened(model, observed, codes, settings)


@contextmanager
def _old_jsonschema() -> Iterator[None]:
    """Accept that pyhf 0.7.6 validates with a class of jsonschema that is deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
        yield


def validate_workspace(workspace: Mapping[str, Any]) -> None:
    """Refuse what is no workspace, by schema and by structure.

    Raises
    ------
    FitError
        Names the key, or region, sample and modifier.
    """
    try:
        with _old_jsonschema():
            pyhf.schema.validate(workspace, "workspace.json")
    except pyhf.exceptions.InvalidSpecification as error:
        where = f"{error.path}: " if error.path else ""
        raise FitError(
            f"pyhf refuses the workspace: {where}{_one_line(error.parent.message)}"
        ) from error
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise FitError(f"pyhf refuses the workspace: {_one_line(error)}") from error
    check_structure(workspace)


def _choose_measurement(workspace: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    found: dict[str, Mapping[str, Any]] = {item["name"]: item for item in workspace["measurements"]}
    if name is None:
        return next(iter(found.values()))
    if name not in found:
        raise FitError(f"measurement {name!r} is not in the workspace ({', '.join(found)})")
    return found[name]


def _one_line(message: object, longest: int = 300) -> str:
    text = " ".join(str(message).split())
    return text if len(text) <= longest else f"{text[:longest]} ..."


def keep_regions(workspace: Mapping[str, Any], regions: Sequence[str]) -> dict[str, Any]:
    """Give a workspace of some of the regions.

    Parameters of the measurements that act on none of them are left out.

    Raises
    ------
    FitError
        If it is no workspace, or a region is not in it.
    """
    validate_workspace(workspace)
    present = [channel["name"] for channel in workspace["channels"]]
    unknown = [name for name in regions if name not in present]
    if unknown or not regions:
        raise FitError(
            f"region {', '.join(unknown) or '(none)'} is not in the workspace"
            f"{nearest(unknown[0], present) if unknown else ''} ({', '.join(present)})"
        )
    kept = copy.deepcopy(dict(workspace))
    kept["channels"] = [item for item in kept["channels"] if item["name"] in regions]
    kept["observations"] = [item for item in kept["observations"] if item["name"] in regions]
    names = {
        modifier["name"]
        for channel in kept["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }
    for item in kept["measurements"]:
        settings = item["config"]
        settings["parameters"] = [p for p in settings["parameters"] if p["name"] in names]
    return kept
