"""Metrics of a classifier for events with signed weights (no TensorFlow).

A ratio of signed sums is an unbiased estimate of what the physical density gives, as long as the
sum of weights is positive; batch-wise means and the usual library AUC are not. Statistical
uncertainties scale with n_eff = (Σw)²/Σw².
"""

from taipan.metrics.binned import (
    asimov_sigma_mu,
    merge_bins,
    normalised_histogram,
    quantile_edges,
    sigma_mu,
)
from taipan.metrics.losses import (
    Calibration,
    bce,
    bce_losses,
    bce_with_terms,
    brier,
    brier_with_terms,
    calibration,
)
from taipan.metrics.roc import (
    Auc,
    auc,
    auc_monotone,
    auc_with_terms,
    auc_with_uncertainty,
    roc_curve,
)
from taipan.metrics.two_sample import (
    TwoSample,
    chi2_test,
    ks_test,
    paired_chi2_test,
    scaled_chi2_test,
)
from taipan.metrics.weights import (
    describe_weights,
    mean_with_terms,
    n_eff,
    n_eff_of_sums,
    negative_fraction,
    weighted_mean,
)

__all__ = [
    "Auc",
    "Calibration",
    "TwoSample",
    "asimov_sigma_mu",
    "auc",
    "auc_monotone",
    "auc_with_terms",
    "auc_with_uncertainty",
    "bce",
    "bce_losses",
    "bce_with_terms",
    "brier",
    "brier_with_terms",
    "calibration",
    "chi2_test",
    "describe_weights",
    "ks_test",
    "mean_with_terms",
    "merge_bins",
    "n_eff",
    "n_eff_of_sums",
    "negative_fraction",
    "normalised_histogram",
    "paired_chi2_test",
    "quantile_edges",
    "roc_curve",
    "scaled_chi2_test",
    "sigma_mu",
    "weighted_mean",
]
