"""Event weights: normalisation and pile-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Columns
from taipan.errors import TaipanError

Array = NDArray[Any]


@dataclass(frozen=True)
class VertexWeights:
    """Ratio of data to simulation against the number of primary vertices.

    Attributes
    ----------
    ratio
        Weight for 0, 1, 2, ... vertices; the last holds for more.
    """

    ratio: tuple[float, ...]

    def evaluate(self, vertices: Array) -> Array:
        """Weight of each event, shape (n,)."""
        table = np.asarray(self.ratio)
        return np.asarray(table[np.clip(vertices, 0, len(table) - 1)])


NO_VERTEX_WEIGHTS = VertexWeights((1.0,))


def measure_vertex_weights(
    data: Array, simulation: Array, simulation_weights: Array, max_weight: float
) -> VertexWeights:
    """Measure the ratio of the vertex distributions of data and simulation, both normalised to 1.

    Parameters
    ----------
    data, simulation
        Numbers of vertices, shape (n,) and (m,).
    simulation_weights
        Weights of the simulated events, shape (m,).
    max_weight
        Largest ratio used.

    Raises
    ------
    TaipanError
        If data or simulation have no events.
    """
    if len(data) == 0 or not simulation_weights.sum() > 0:
        raise TaipanError("pileup: no data or no simulated events to measure vertex weights from")
    length = int(max(data.max(), simulation.max())) + 1
    seen = np.bincount(data, minlength=length) / len(data)
    expected = np.bincount(simulation, simulation_weights, minlength=length)
    expected = expected / simulation_weights.sum()
    ratio = np.divide(seen, expected, out=np.ones(length), where=expected > 0)
    return VertexWeights(tuple(float(x) for x in np.clip(ratio, 0.0, max_weight)))


def multiply(factors: Mapping[str, Array]) -> Array:
    """Multiply factors of events, shape (n,) each; at least one."""
    first, *others = factors.values()
    product: Array = np.array(first)
    for values in others:
        product *= values
    return product


@dataclass(frozen=True)
class EventWeights:
    """Weights of the events of one simulated dataset, shape (n,) each.

    Attributes
    ----------
    nominal
        Expected number of events that each stands for.
    alternatives
        Name of a weight (as systematics name it) → weights when it is varied.
    uncorrected
        What `nominal` was before the section `corrections`; None if there is nothing in it.
    factors
        Correction → its factor, of which `nominal` is the product with `uncorrected`.
    """

    nominal: Array
    alternatives: Mapping[str, Array]
    uncorrected: Array | None = None
    factors: Mapping[str, Array] = field(default_factory=dict)

    @property
    def plain(self) -> Array:
        """Weights without the section `corrections`."""
        return self.nominal if self.uncorrected is None else self.uncorrected

    def correct(self, factors: Mapping[str, Array]) -> EventWeights:
        """Multiply all weights by the factors of corrections."""
        if not factors:
            return self
        product = multiply(factors)
        return EventWeights(
            self.nominal * product,
            {name: values * product for name, values in self.alternatives.items()},
            self.nominal,
            factors,
        )

    def take(self, rows: slice) -> EventWeights:
        """Give those of some events."""
        return EventWeights(
            self.nominal[rows],
            {name: values[rows] for name, values in self.alternatives.items()},
            None if self.uncorrected is None else self.uncorrected[rows],
            {name: values[rows] for name, values in self.factors.items()},
        )


def weigh_events(
    columns: Columns, scale: float, vertices: VertexWeights | None, dataset: str = ""
) -> EventWeights:
    """Weigh the events of a simulated dataset.

    The vertex weights keep the dataset's Σw over all skimmed events, so they change shapes and
    migration, never the normalisation.

    Parameters
    ----------
    columns
        Skim columns with ``genWeight`` and ``PV_npvs``.
    scale
        σ·B·ε·L / Σ genWeight.
    vertices
        Vertex weights, or None to apply none.
    dataset
        Name, for messages.

    Returns
    -------
    EventWeights
        With the alternative ``pileup`` (not corrected) where vertex weights are applied.

    Raises
    ------
    TaipanError
        If Σw of the selected events is not positive after vertex weights, so that nothing can be
        scaled to the Σw before; names the dataset.
    """
    plain = columns["genWeight"].astype(np.float64) * scale
    if vertices is None:
        return EventWeights(plain, {})
    factors = vertices.evaluate(columns["PV_npvs"])
    corrected = plain * factors
    total = corrected.sum()
    if len(plain) and not total > 0:
        raise TaipanError(
            f"dataset '{dataset}': Σw = {total:.6g} of its {len(plain)} selected events after "
            "vertex weights; it must be positive (use more events, take the dataset out, or set "
            "pileup.enabled to false)"
        )
    return EventWeights(corrected * (plain.sum() / total if total else 1.0), {"pileup": plain})
