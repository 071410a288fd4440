"""Expected yields of two workspaces at nominal and at every ±1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from taipan import __version__
from taipan.exchange.errors import ExchangeError
from taipan.inference.read import numpy_backend, open_workspace

TOLERANCE = 1e-8
"""Largest difference of two models that are called the same: of −ln L, relative to its size (and at
least to 1), or of contents, relative to the largest of the histogram."""


def certify_yields(
    largest: float, points: int, problem: str, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Give the certificate of a comparison of yields.

    Parameters
    ----------
    largest, points
        As of :func:`compare_yields`.
    problem
        Beginning of the message if they differ.
    notes
        What could not be mapped.

    Raises
    ------
    ExchangeError
        If the yields differ by more than :data:`TOLERANCE`.
    """
    if not largest <= TOLERANCE:
        raise ExchangeError(f"{problem} differ by {largest:.2g} of them; nothing is written")
    return {
        "taipan": __version__,
        "agreement": {
            "what": "expected yields at nominal and at every ±1, and the histograms,",
            "points": points,
            "largest_relative_difference": largest,
            "tolerance": TOLERANCE,
        },
        "not_mapped": list(notes),
        "fits": [],
    }


def compare_yields(
    one: Mapping[str, Any], two: Mapping[str, Any], call: Callable[[str], str]
) -> tuple[float, int]:
    """Compare yields, parameter by parameter.

    Parameters
    ----------
    one, two
        pyhf workspaces.
    call
        From the name of a region or parameter of the first to that of the second.

    Returns
    -------
    tuple
        Largest difference, relative to the largest yield of a region, and the number of points.
    """
    with numpy_backend():
        models = [open_workspace(item).model for item in (one, two)]
        shared = [
            name
            for name in models[0].config.parameters
            if call(name) in models[1].config.parameters
            and models[0].config.param_set(name).constrained
            and models[0].config.param_set(name).pdf_type == "normal"
            and models[0].config.param_set(name).suggested_init == [0.0]
        ]
        largest, points = 0.0, 0
        for name, side in [("", 0.0), *((n, s) for n in shared for s in (-1.0, 1.0))]:
            yields = [
                _expect(model, called, side)
                for model, called in zip(models, (name, call(name) if name else ""), strict=True)
            ]
            points += 1
            for region, wanted in yields[0].items():
                found = yields[1][call(region)]
                if wanted.shape != found.shape:
                    return np.inf, points
                largest = max(largest, float(np.abs(wanted - found).max() / np.abs(wanted).max()))
    return largest, points


def _expect(model: Any, name: str, value: float) -> dict[str, Any]:
    point = np.asarray(model.config.suggested_init(), dtype=np.float64)
    point[model.config.poi_index] = 1.0
    if name:
        point[model.config.par_slice(name)] = value
    expected = np.asarray(model.expected_data(point, include_auxdata=False))
    return {region: expected[place] for region, place in model.config.channel_slices.items()}
