"""Alternative event weights from correctionlib files, and those measured in data."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import correctionlib
import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.weights import Weight
from taipan.corrections.files import read_correction_text
from taipan.errors import TaipanError
from taipan.skim.generator_weights import LARGEST_RATIO

Array = NDArray[Any]

SMALLEST_WEIGHT, LARGEST_WEIGHT = 0.2, 5.0
"""Bounds of a measured ratio: beyond them a bin has too few events to say anything."""
_SOME = 10
"""Events of which a correction may not refuse all; a few may well be those that it vetoes."""


@dataclass(frozen=True)
class EventCorrection:
    """A correction whose inputs are bound to quantities.

    Attributes
    ----------
    name
        Name of the weight.
    correction
        Evaluator of correctionlib.
    inputs
        In order: quantity, or a fixed text or number.
    types
        In order: ``real``, ``int`` or ``string``.
    """

    name: str
    correction: Any
    inputs: tuple[str | float, ...]
    types: tuple[str, ...]

    def evaluate(self, quantities: Mapping[str, Array]) -> Array:
        """Weight of each event, shape (n,); 1 where an input is missing (NaN).

        Raises
        ------
        TaipanError
            If the correction refuses a value, or gives a number that is not finite or absurd.
        """
        n = len(quantities["passes"])
        known = np.ones(n, dtype=bool)
        values: list[Any] = []
        for source, kind in zip(self.inputs, self.types, strict=True):
            if isinstance(source, str) and source in quantities:
                column = np.asarray(quantities[source], dtype=np.float64)
                known &= np.isfinite(column)
                values.append((column, kind))
            else:
                values.append((source, kind))
        arguments = [
            np.where(known, value, 0.0)[known].astype(np.int64 if kind == "int" else np.float64)
            if isinstance(value, np.ndarray)
            else value
            for value, kind in values
        ]
        weights = np.ones(n)
        try:
            weights[known] = self.correction.evaluate(*arguments)
        except (RuntimeError, IndexError, ValueError) as error:
            raise TaipanError(f"weights.{self.name}: the correction refuses: {error}") from error
        if not np.all(np.isfinite(weights)):
            bad = int(np.flatnonzero(~np.isfinite(weights))[0])
            given = ", ".join(
                f"{name} = {quantities[name][bad]:g}"
                for name in self.inputs
                if isinstance(name, str) and name in quantities
            )
            raise TaipanError(
                f"weights.{self.name}: the correction gives a number not finite "
                f"({np.count_nonzero(~np.isfinite(weights))} of {n} events, such as "
                f"{given or 'all'}; mend its file, or its inputs)"
            )
        _refuse_absurd(self.name, weights[known])
        return weights


def _refuse_absurd(name: str, weights: Array) -> None:
    """Refuse a weight far above the median, which outweighs the sample, and nothing above zero."""
    sizes = np.abs(weights[weights != 0.0])
    if not len(sizes):
        if len(weights) >= _SOME:
            raise TaipanError(
                f"weights.{name}: the correction gives 0 for all of {len(weights)} events, so that "
                "nothing would be left of them (mend its file, or its inputs)"
            )
        return
    if len(weights) >= _SOME and not np.any(weights > 0.0):
        raise TaipanError(
            f"weights.{name}: the correction gives no positive number for any of {len(weights)} "
            f"events ({weights.min():.6g} to {weights.max():.6g}; mend its file, or its inputs)"
        )
    median, largest = float(np.median(sizes)), float(sizes.max())
    if largest > LARGEST_RATIO * median:
        raise TaipanError(
            f"weights.{name}: the correction gives {largest:.6g}, but the median of its weights is "
            f"{median:.6g} (at most 10⁶ times as much)"
        )


def read_corrections(
    weights: Mapping[str, Weight], quantities: Collection[str], file: Path | str
) -> dict[str, EventCorrection]:
    """Read the corrections of the section ``weights``.

    Parameters
    ----------
    weights
        Name → definition.
    quantities, file
        As of :func:`read_correction`, which says what is raised.

    Returns
    -------
    dict
        Name → evaluator.
    """
    return {
        name: read_correction(name, weight, quantities, str(file))
        for name, weight in weights.items()
    }


def read_correction(
    name: str, weight: Weight, quantities: Collection[str], file: str | None = None
) -> EventCorrection:
    """Read the correction of a weight.

    Parameters
    ----------
    name, weight
        Its definition.
    quantities
        Quantities of the analysis.
    file
        File of the weights measured in data, which a weight with ``measure`` is read from.

    Raises
    ------
    TaipanError
        If the file cannot be read, has no such correction, or an input has no quantity.
    """
    path = weight.file if weight.measure is None else file
    wanted = weight.correction or name
    try:
        found = correctionlib.CorrectionSet.from_string(read_correction_text(Path(str(path))))
    except (RuntimeError, OSError, EOFError, ValueError, zlib.error) as error:
        raise TaipanError(f"weights.{name}.file: {path}: not a correctionlib file: {error}") from (
            error
        )
    if wanted not in list(found):
        raise TaipanError(
            f"weights.{name}.correction: '{wanted}' is not in {path} ({', '.join(sorted(found))})"
        )
    correction = found[wanted]
    names = [item.name for item in correction.inputs]
    for extra in weight.inputs:
        if extra not in names:
            raise TaipanError(
                f"weights.{name}.inputs.{extra}: not an input of '{wanted}' ({', '.join(names)})"
            )
    bound: list[str | float] = []
    for item in correction.inputs:
        source: str | float = weight.inputs.get(item.name, item.name)
        if item.type != "string" and source not in quantities:
            try:
                source = float(source)
            except ValueError:
                raise TaipanError(
                    f"weights.{name}.inputs.{item.name}: '{source}' is neither a quantity of the "
                    "analysis nor a number"
                ) from None
        bound.append(source)
    types = tuple(str(item.type) for item in correction.inputs)
    return EventCorrection(name, correction, tuple(bound), types)


def measured_ratio(
    numerator: tuple[Array, Array], denominator: tuple[Array, Array], names: tuple[str, str]
) -> Array:
    """Ratio of two histograms, 1 on average over the denominator.

    Parameters
    ----------
    numerator, denominator
        Σw and Σw² per bin, shape ``(n_bins,)`` each.
    names
        What they are, for messages.

    Returns
    -------
    Array
        Shape ``(n_bins,)``, within [0.2, 5]; 1 in bins where either is not positive.

    Raises
    ------
    TaipanError
        If a total is not positive; says which.
    """
    above, below = numerator[0], denominator[0]
    for values, name in zip((above, below), names, strict=True):
        if not values.sum() > 0:
            raise TaipanError(f"Σw = {values.sum():.4g} of {name}; it must be positive")
    known = (above > 0) & (below > 0)
    ratio = np.divide(above, below, out=np.ones_like(above), where=known)
    average = above.sum() / below.sum()
    return np.where(known, np.clip(ratio / average, SMALLEST_WEIGHT, LARGEST_WEIGHT), 1.0)


def write_corrections(measured: Mapping[str, tuple[str, Sequence[float], Array]]) -> dict[str, Any]:
    """Give a correctionlib document (schema 2) of measured weights.

    Parameters
    ----------
    measured
        Name → (quantity, edges, weight per bin); beyond the edges the edge bins hold.
    """
    document = {
        "schema_version": 2,
        "description": "Weights measured in data, 1 on average",
        "corrections": [
            {
                "name": name,
                "version": 1,
                "inputs": [{"name": quantity, "type": "real"}],
                "output": {"name": "weight", "type": "real"},
                "data": {
                    "nodetype": "binning",
                    "input": quantity,
                    "edges": [float(edge) for edge in edges],
                    "content": [float(value) for value in values],
                    "flow": "clamp",
                },
            }
            for name, (quantity, edges, values) in measured.items()
        ],
    }
    correctionlib.CorrectionSet.from_string(json.dumps(document))  # refuses what is no correction
    return document
