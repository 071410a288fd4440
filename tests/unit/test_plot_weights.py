"""Figures of the event weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from benchmarks.negative_weights import make_toy
from matplotlib.figure import Figure

from taipan.config.sections.training import Training
from taipan.nn.data import split_folds
from taipan.nn.weights.distributions import describe_distributions
from taipan.nn.weights.transform import loss_weights
from taipan.plotting.weights import (
    closure_figure,
    distribution_figure,
    fraction_figure,
    weight_numbers,
)

HEADER = {"label": "Taipan toy", "luminosity": 1.0, "energy": 8.0}


@pytest.fixture(scope="module")
def diagnostics() -> dict:
    events = make_toy(800, 0.3, 1)
    physical = loss_weights(events, Training(folds=2, networks=1, negative_weights="drop"))
    masks = [split_folds(events.folds, events.identifiers, i, 2).training for i in range(2)]
    found = describe_distributions(events, physical, masks, events.features[:, 0])
    return {"method": "drop", "distributions": found}


DRAW = [distribution_figure, fraction_figure, closure_figure]


@pytest.mark.parametrize("draw", DRAW)
def test_figures_show_every_quantity(draw: Callable[..., Figure], diagnostics: dict) -> None:
    figure = draw(weight_numbers(diagnostics, HEADER, {"x": "GeV"}))
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels == (
        ["Event weight"] if draw is distribution_figure else ["Score", "x (GeV)", "y"]
    )


def test_points_are_the_negative_fractions(diagnostics: dict) -> None:
    figure = fraction_figure(weight_numbers(diagnostics, HEADER))
    drawn = figure.axes[2].containers[0].lines[0].get_ydata()
    expected = diagnostics["distributions"]["signal"]["quantities"]["y"]["negative_fraction"]
    np.testing.assert_allclose(drawn, expected)
    assert max(expected) > 0.4


def test_no_negative_weights_is_said() -> None:
    empty = {"method": "signed_bounded", "distributions": {}}
    for draw in DRAW:
        texts = [text.get_text() for text in draw(weight_numbers(empty, HEADER)).axes[0].texts]
        assert "No sample has negative weights" in texts
