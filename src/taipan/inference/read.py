"""Opening pyhf workspaces, ours or anyone's."""

from __future__ import annotations

import copy
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
from taipan.suggestions import nearest

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
    """

    model: Any
    observed: Array
    codes: Mapping[str, str]


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
        If a template is not finite, pyhf refuses the workspace, or the measurement or code does
        not exist; names it.
    """
    codes = {kind: allowed[0] for kind, allowed in _CODES.items()}
    for kind, code in (interpolation or {}).items():
        if code not in _CODES.get(kind, ()):
            known = "; ".join(f"{name}: {', '.join(values)}" for name, values in _CODES.items())
            raise FitError(f"interpolation {kind}: {code!r} is not offered ({known})")
        codes[kind] = code
    try:
        # pyhf 0.7.6 validates with a jsonschema class that is deprecated
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
            pyhf.schema.validate(workspace, "workspace.json")
            check_finite(workspace)
            opened = pyhf.Workspace(copy.deepcopy(dict(workspace)), validate=False)
            if measurement is not None and measurement not in opened.measurement_names:
                raise FitError(
                    f"measurement {measurement!r} is not in the workspace "
                    f"({', '.join(opened.measurement_names)})"
                )
            model = opened.model(
                measurement_name=measurement,
                modifier_settings={kind: {"interpcode": code} for kind, code in codes.items()},
            )
            observed = np.asarray(opened.data(model), dtype=np.float64)
    except FitError:
        raise
    except (
        pyhf.exceptions.InvalidSpecification,
        pyhf.exceptions.InvalidModel,
        pyhf.exceptions.InvalidModifier,
        pyhf.exceptions.InvalidMeasurement,
        pyhf.exceptions.InvalidNameReuse,
        pyhf.exceptions.InvalidWorkspaceOperation,
        *(TypeError, ValueError, LookupError, OverflowError),  # numbers out of range, lengths
    ) as error:
        raise FitError(f"pyhf refuses the workspace: {error}") from error
    if model.config.poi_index is None:
        raise FitError("the workspace has no parameter of interest")
    return Opened(model, observed, codes)


def check_finite(workspace: Mapping[str, Any]) -> None:
    """Refuse a workspace with a yield, variation, uncertainty or observation that is not finite.

    Raises
    ------
    FitError
        Names the region, the sample and the modifier.
    """
    for channel in workspace.get("channels", ()):
        for sample in channel.get("samples", ()):
            where = f"region {channel.get('name')}, sample {sample.get('name')}"
            _refuse_nan(where, "yields", sample.get("data", ()))
            for modifier in sample.get("modifiers", ()):
                data = modifier.get("data")
                parts = data if isinstance(data, Mapping) else {"data": data}
                for key, values in parts.items():
                    _refuse_nan(f"{where}, modifier {modifier.get('name')}", key, values)
    for observation in workspace.get("observations", ()):
        _refuse_nan(f"region {observation.get('name')}", "observation", observation.get("data"))


def _refuse_nan(where: str, what: str, values: Any) -> None:
    try:
        numbers = np.atleast_1d(np.asarray([] if values is None else values, dtype=np.float64))
    except (TypeError, ValueError, OverflowError):
        return  # pyhf says what is wrong with it
    if not np.isfinite(numbers).all():
        position = int(np.argmin(np.isfinite(numbers)))
        raise FitError(f"{where}: {what}[{position}] is {numbers.flat[position]}")


def keep_regions(workspace: Mapping[str, Any], regions: Sequence[str]) -> dict[str, Any]:
    """Give a workspace of some of the regions.

    Parameters of the measurements that act on none of them are left out.

    Raises
    ------
    FitError
        If a region is not in the workspace.
    """
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
