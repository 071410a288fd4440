"""Three Gaussians in a plane, whose best scores are known in closed form."""

from __future__ import annotations

import numpy as np

from taipan.nn.classes import Classes
from taipan.nn.data import TrainingSet

CLASSES = Classes(
    ("signal", "ztt", "other"), (0,), True, (("ggH", 0), ("ZTT", 1), ("W", 2), ("TT", 2))
)
MEANS = np.array([[1.2, 0.0], [-0.6, 1.0], [-0.6, -1.0]])
_EXTRA = np.array([0.0, 2.0])  # of what the negative events take away again


def posterior(features: np.ndarray) -> np.ndarray:
    """Best scores (n, 3) for equal classes, N(mean, 1) each: by the theorem of Bayes."""
    square = ((features[:, None, :] - MEANS) ** 2).sum(axis=2)
    density = np.exp(-0.5 * square)
    return density / density.sum(axis=1, keepdims=True)


def draw_events(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 2) and labels (n,) of the three in equal parts."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return (MEANS[labels] + generator.normal(0.0, 1.0, (n, 2))).astype(np.float32), labels


def make_set(n: int, seed: int = 0, negative: float = 0.0, folds: int = 2) -> TrainingSet:
    """Training events of which a share `negative` has weight -1.

    As many events of weight +1 of the same density, N((0, 2), 1), are cancelled by them, so that
    the signed density of each class is that of :func:`posterior`. Yields of the classes differ.
    """
    generator = np.random.default_rng(seed + 1000)
    features, labels = draw_events(n, seed)
    signs = np.ones(n)
    draws = generator.random(n)
    signs[draws < negative] = -1.0
    moved = draws < 2.0 * negative
    extra = _EXTRA + generator.normal(0.0, 1.0, (int(moved.sum()), 2))
    features[moved] = extra.astype(np.float32)
    identifiers = generator.integers(0, 2**63, n).astype(np.uint64)
    return TrainingSet(
        features=features,
        names=("x", "y"),
        labels=labels,
        weights=signs * np.array([0.01, 2.0, 0.3])[labels],
        folds=(identifiers % np.uint64(folds)).astype(np.int64),
        samples=np.array(["ggH", "ZTT", "W"])[labels],
        identifiers=identifiers,
        classes=CLASSES,
    )
