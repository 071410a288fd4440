"""Sums of signed weights and σ(μ), worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from taipan import metrics
from taipan.errors import TaipanError
from taipan.metrics.weights import n_eff, weighted_mean


def test_mean_of_signed_weights_and_its_error() -> None:
    """Σw = 2, Σw·x = 1; Σw² (x - ½)² = 0.25 + 4 × 2.25 + 12.25."""
    mean, error = weighted_mean(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, -1.0]))
    assert mean == pytest.approx(0.5)
    assert error == pytest.approx(math.sqrt(21.5) / 2.0)
    with pytest.raises(TaipanError, match=r"sum of weights of the events is 0, must be positive"):
        weighted_mean(np.array([1.0, 2.0]), np.array([1.0, -1.0]))


def test_effective_events_of_signed_weights() -> None:
    assert n_eff(np.array([2.0, 2.0, -1.0])) == pytest.approx(9.0 / 9.0)
    assert n_eff(np.array([3.0, 3.0, 3.0])) == pytest.approx(3.0)
    assert n_eff(np.array([])) == 0.0


def test_uncertainty_of_the_signal_strength_has_the_noise_of_signal_and_background() -> None:
    """Without Σw²: (1/4 + 16/20)^(-½). The signal's own fluctuation counts."""
    signal = np.array([[1.0, 4.0], [0.0, 0.0]])
    background = np.array([[3.0, 16.0], [0.0, 0.0]])
    value, error = metrics.sigma_mu(signal, background)
    assert value == pytest.approx((0.25 + 0.8) ** -0.5)
    assert error == 0.0


def test_noise_of_the_templates_biases_the_information() -> None:
    """½ Σ ∂²q σ² = Σ (b² σ_s² + s² σ_b²)/(s + b)³ is subtracted from q = Σ s²/(s + b)."""
    signal = np.array([[2.0, 4.0], [0.5, 0.25]])
    background = np.array([[8.0, 12.0], [1.0, 2.0]])
    information = 4.0 / 10.0 + 16.0 / 16.0
    bias = (64.0 * 0.5 + 4.0 * 1.0) / 1000.0 + (144.0 * 0.25 + 16.0 * 2.0) / 4096.0
    value, _ = metrics.sigma_mu(signal, background)
    assert value == pytest.approx((information - bias) ** -0.5)
