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
    varied
        The same at +1σ; None if that is no correction at all.
    """

    ratio: tuple[float, ...]
    varied: tuple[float, ...] | None = None

    def evaluate(self, vertices: Array) -> Array:
        """Weight of each event, shape (n,)."""
        return _look_up(self.ratio, vertices)


def _look_up(table: tuple[float, ...], vertices: Array) -> Array:
    return np.asarray(np.asarray(table)[np.clip(vertices, 0, len(table) - 1)])


NO_VERTEX_WEIGHTS = VertexWeights((1.0,))


def read_vertex_weights(measured: Mapping[str, Any]) -> VertexWeights | None:
    """Read what the rule ``measure_pileup`` wrote; None if nothing is to be corrected."""
    if not measured["enabled"]:
        return None
    varied = measured.get("varied")
    return VertexWeights(tuple(measured["ratio"]), None if varied is None else tuple(varied))


def measure_vertex_weights(
    data: Array,
    simulation: Array,
    simulation_weights: Array,
    max_weight: float,
    uncertainty: float | None = None,
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
    uncertainty
        Relative uncertainty of the mean number of interactions, to which that of vertices is
        proportional; None to vary the correction as a whole.

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

    def divide(shares: Array) -> tuple[float, ...]:
        ratio = np.divide(shares, expected, out=np.ones(length), where=expected > 0)
        return tuple(float(x) for x in np.clip(ratio, 0.0, max_weight))

    varied = None if uncertainty is None else divide(stretch_vertices(seen, 1.0 + uncertainty))
    return VertexWeights(divide(seen), varied)


def stretch_vertices(shares: Array, factor: float) -> Array:
    """Stretch a distribution of the number of vertices by a factor.

    The content of n vertices is spread evenly over n ± 1/2. What is stretched beyond the last bin
    stays in it.

    Parameters
    ----------
    shares
        Content for 0, 1, 2, ... vertices, shape (n,).
    factor
        By which the numbers of vertices grow.

    Returns
    -------
    Array
        Content in the same bins, with the same sum.
    """
    edges = np.arange(len(shares) + 1) - 0.5
    cumulative = np.concatenate([[0.0], np.cumsum(shares)])
    at_edges = np.interp(edges, factor * edges, cumulative)
    at_edges[0], at_edges[-1] = 0.0, cumulative[-1]
    return np.diff(at_edges)


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
        With the alternative ``pileup`` (vertex weights at +1σ) where they are applied.

    Raises
    ------
    TaipanError
        If Σw of the selected events is not positive after vertex weights, so that nothing can be
        scaled to the Σw before; names the dataset.
    """
    plain = columns["genWeight"].astype(np.float64) * scale
    if vertices is None:
        return EventWeights(plain, {})
    nominal = _apply_vertex_weights(plain, vertices.evaluate(columns["PV_npvs"]), dataset)
    if vertices.varied is None:
        return EventWeights(nominal, {"pileup": plain})
    factors = _look_up(vertices.varied, columns["PV_npvs"])
    varied = _apply_vertex_weights(plain, factors, dataset)
    return EventWeights(nominal, {"pileup": varied})


def _apply_vertex_weights(plain: Array, factors: Array, dataset: str) -> Array:
    """Multiply weights by those of the vertices, at the same sum."""
    corrected = plain * factors
    total = corrected.sum()
    if len(plain) and not total > 0:
        raise TaipanError(
            f"dataset '{dataset}': Σw = {total:.6g} of its {len(plain)} selected events after "
            "vertex weights; it must be positive (use more events, take the dataset out, or set "
            "pileup.enabled to false)"
        )
    return np.asarray(corrected * (plain.sum() / total if total else 1.0))
