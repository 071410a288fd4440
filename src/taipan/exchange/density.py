"""−ln L of a workspace as pyhf computes it, by the names of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.bin_statistics import read_constraints
from taipan.inference.read import numpy_backend, open_workspace

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Density:
    """−ln L of a workspace.

    Attributes
    ----------
    start, widths
        Parameter → nominal value, and standard deviation of its constraint (0: none).
    bounds
        Parameter → lower and upper end.
    fixed
        Parameters held constant.
    poi
        Parameter of interest.
    """

    start: Mapping[str, float]
    widths: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]
    fixed: frozenset[str]
    poi: str
    _model: Any
    _data: Array
    _order: tuple[str, ...]
    _centre: Array
    _unit: Array

    def __call__(self, values: Mapping[str, float]) -> float:
        """Give −ln L, constants included.

        Parameters
        ----------
        values
            Parameter → value; ``name[3]`` for bins.
        """
        with numpy_backend():
            point = np.array([values[name] for name in self._order])
            inside = self._centre + self._unit * point
            return -float(self._model.logpdf(inside, self._data)[0])


def workspace_density(
    workspace: Mapping[str, Any],
    names: Mapping[str, str] | None = None,
    units: Mapping[str, float] | None = None,
    measurement: str | None = None,
) -> Density:
    """Prepare −ln L of a workspace.

    Parameters
    ----------
    workspace
        pyhf workspace.
    names
        Parameter, with or without the bin, → the name by which it is to be called; its own by
        default.
    units
        Factor around 1 with its bin, as ``name[3]`` → what one standard deviation of it is, if it
        is to be called by its pull.
    measurement
        Name of the measurement; the first one by default.

    Raises
    ------
    FitError
        If pyhf refuses the workspace.
    """
    with numpy_backend():
        opened = open_workspace(workspace, measurement)
    config = opened.model.config
    order = tuple(_rename(str(name), names or {}) for name in config.par_names)
    known = read_constraints(config)[1]
    pulled = [(units or {}).get(str(name)) for name in config.par_names]
    centre = np.array([0.0 if unit is None else 1.0 for unit in pulled])
    scale = np.array([1.0 if unit is None else unit for unit in pulled])
    start = (np.asarray(config.suggested_init()) - centre) / scale
    return Density(
        start=dict(zip(order, map(float, start), strict=True)),
        widths=dict(zip(order, map(float, known.sigma / scale), strict=True)),
        bounds={
            name: (float(low), float(high))
            for name, low, high in zip(
                order, (known.lower - centre) / scale, (known.upper - centre) / scale, strict=True
            )
        },
        fixed=frozenset(np.array(order, dtype=object)[known.fixed]),
        poi=order[config.poi_index],
        _model=opened.model,
        _data=opened.observed,
        _order=order,
        _centre=centre,
        _unit=scale,
    )


def _rename(name: str, names: Mapping[str, str]) -> str:
    if name in names:
        return names[name]
    plain, bracket, rest = name.partition("[")
    return f"{names.get(plain, plain)}{bracket}{rest}"
