"""Training on what is fitted, on two toys whose best possible uncertainty is known.

`two_gaussians` is that of arXiv:2003.07186 as it is used with binned scores: the uncertainty shifts
the second quantity of the background by one. `inferno` is that of arXiv:1806.04743 with its
benchmarks B0 to B4 (the code of that paper has the signal at (0, 0), its text at (1, 1); the table
is that of the code). Each network is trained with cross-entropy, then on the expected uncertainty;
its bins are chosen on the events that stop it and counted on independent ones. Every table has the
row "cross-entropy, optimised bins". Prints a JSON object for each seed.

    python benchmarks/sensitivity_toys.py [--toy two_gaussians inferno] [--seeds 3] [--loss sannt]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.training import Sensitivity, Training
from taipan.likelihood.asimov import linear_sigma
from taipan.likelihood.binning import LinearModel
from taipan.likelihood.errors import LikelihoodError
from taipan.nn.data import Split, TrainingSet
from taipan.nn.sensitivity.linear import InputRows, LinearEvents

FloatArray = NDArray[np.float64]
FINE = 200


@dataclass(frozen=True)
class Sample:
    """Signal and background events, and those of the background under up and down shifts."""

    signal: FloatArray
    background: FloatArray
    shifts: Sequence[tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Toy:
    """A toy: expected events, and for each shift its parameter's name, step and constraint."""

    expected: tuple[float, float]
    shifts: Mapping[str, float]
    prior: Mapping[str, float]
    relative: bool = True  # the parameter of interest is the yield over the expected one

    def linear(self, sample: Sample, fold: int = 0) -> LinearEvents:
        """Give the linear model of a sample of events."""
        names = list(self.prior)
        sizes = [len(sample.signal), len(sample.background)]
        weights = np.repeat(np.divide(self.expected, sizes), sizes)
        is_signal = np.repeat([True, False], sizes)
        slopes = np.zeros((len(weights), len(names)))
        unit = 1.0 if self.relative else self.expected[0]
        slopes[is_signal, 0] = weights[is_signal] / unit
        if "b" in names:
            slopes[~is_signal, names.index("b")] = weights[~is_signal] / self.expected[1]
        moved, numbers, moved_slopes = [], [], []
        own = self.expected[1] / sizes[1]
        for (name, step), pair in zip(self.shifts.items(), sample.shifts, strict=True):
            if name not in names:
                continue
            for sign, features in zip((1.0, -1.0), pair, strict=True):
                moved.append(features)
                numbers.append(np.full(len(features), names.index(name)))
                moved_slopes.append(np.full(len(features), sign * own / (2.0 * step)))
        nominal = np.concatenate([sample.signal, sample.background])
        shifted = np.concatenate(moved) if moved else np.zeros((0, nominal.shape[1]))
        events = np.arange(len(nominal), dtype=np.uint64)
        of_shifted = np.tile(events[~is_signal], len(moved))
        return LinearEvents(
            parameters=tuple(names),
            prior=np.array([self.prior[name] for name in names]),
            nominal=_rows(nominal, events, ~is_signal, fold),
            yields=weights,
            variances=np.zeros(len(weights)),
            slopes=slopes,
            is_signal=is_signal,
            shifted=_rows(shifted, of_shifted, np.ones(len(shifted), dtype=bool), fold),
            moved_by=np.concatenate(numbers) if numbers else np.zeros(0, np.int64),
            moved_slopes=np.concatenate(moved_slopes) if moved_slopes else np.zeros(0),
            control_yields=np.zeros(0),
            control_variances=np.zeros(0),
            control_slopes=np.zeros((0, len(names))),
        )


def _rows(
    features: FloatArray, events: NDArray[np.uint64], is_background: NDArray[np.bool_], fold: int
) -> InputRows:
    folds = np.full(len(features), fold)
    return InputRows(features.astype(np.float32), folds, events, is_background.astype(np.int64))


def join(parts: Sequence[LinearEvents]) -> LinearEvents:
    """Put independent samples of one toy together, each a share of the yields."""

    def stack(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    def rows(name: str) -> InputRows:
        own = [getattr(part, name) for part in parts]
        fields = ("features", "folds", "identifiers", "groups")
        return InputRows(*(np.concatenate([getattr(item, key) for item in own]) for key in fields))

    share = 1.0 / len(parts)
    names = ("variances", "is_signal", "moved_by")
    return replace(
        parts[0],
        nominal=rows("nominal"),
        shifted=rows("shifted"),
        **{name: stack(name) for name in names},
        **{name: share * stack(name) for name in ("yields", "slopes", "moved_slopes")},
    )


TWO_GAUSSIANS = Toy((50.0, 1000.0), {"theta": 1.0}, {"mu": 0.0, "theta": 1.0})
INFERNO_SHIFTS = {"r": 0.2, "lambda": 0.5}
INFERNO = {
    "B0": Toy((50.0, 1000.0), INFERNO_SHIFTS, {"s": 0.0}, relative=False),
    "B1": Toy((50.0, 1000.0), INFERNO_SHIFTS, {"s": 0.0, "r": 0.0}, relative=False),
    "B2": Toy((50.0, 1000.0), INFERNO_SHIFTS, {"s": 0.0, "r": 0.0, "lambda": 0.0}, relative=False),
    "B3": Toy(
        (50.0, 1000.0),
        INFERNO_SHIFTS,
        {"s": 0.0, "r": 0.4**-2, "lambda": 1.0},
        relative=False,
    ),
    "B4": Toy(
        (50.0, 1000.0),
        INFERNO_SHIFTS,
        {"s": 0.0, "r": 0.4**-2, "lambda": 1.0, "b": 1e-4},
        relative=False,
    ),
}
PUBLISHED = {
    "cross-entropy net": (14.99, 18.94, 23.94, 21.54, 26.71),
    "INFERNO": (15.51, 16.79, 16.95, 16.89, 18.68),
    "optimal classifier": (14.97, 19.12, 24.93, 22.13, 27.98),
    "analytic": (14.71, 15.52, 15.65, 15.62, 16.89),
}


def draw_two_gaussians(size: int, generator: np.random.Generator) -> Sample:
    """Draw events (n, 2) of each class."""
    background = generator.normal(1.0, 1.0, (size, 2))
    shift = np.array([0.0, 1.0])
    return Sample(
        generator.normal(-1.0, 1.0, (size, 2)),
        background,
        [(background + shift, background - shift)],
    )


def draw_inferno(size: int, generator: np.random.Generator) -> Sample:
    """Draw events (n, 3) of each class."""
    signal = np.column_stack(
        [generator.normal(0.0, 1.0, (size, 2)), generator.exponential(1.0 / 2.0, size)]
    )
    background = np.column_stack(
        [
            generator.normal(2.0, np.sqrt(5.0), size),
            generator.normal(0.0, 3.0, size),
            generator.exponential(1.0 / 3.0, size),
        ]
    )
    shifts = []
    for name, step in INFERNO_SHIFTS.items():
        pair = []
        for sign in (1.0, -1.0):
            moved = background.copy()
            if name == "r":
                moved[:, 0] += sign * step
            else:
                moved[:, 2] *= 3.0 / (3.0 + sign * step)
            pair.append(moved)
        shifts.append((pair[0], pair[1]))
    return Sample(signal, background, shifts)


def inferno_logit(features: FloatArray) -> FloatArray:
    """Give ln of the ratio of the densities of signal and background, up to a constant."""
    x, y, z = features.T
    signal = -0.5 * (x**2 + y**2) - 2.0 * z
    return np.asarray(signal + 0.5 * ((x - 2.0) ** 2 / 5.0 + y**2 / 9.0) + 3.0 * z)


def two_gaussians_logit(features: FloatArray) -> FloatArray:
    """Give the same for the two Gaussians."""
    return np.asarray(-2.0 * features.sum(axis=1))


def analytic_sigma(toy: Toy, size: int, seed: int = 1) -> float:
    """Give sigma of the unbinned likelihood of the `inferno` toy, by integration over events.

    Events are drawn from an equal mixture q of signal and background: the Fisher information is the
    mean of (derivatives of the density) products over (density times q).
    """
    generator = np.random.default_rng(seed)
    drawn = draw_inferno(size // 2, generator)
    events = np.concatenate([drawn.signal, drawn.background])
    x, y, z = events.T
    signal = np.exp(-0.5 * (x**2 + y**2) - 2.0 * z) * 2.0 / (2.0 * np.pi)
    background = np.exp(-0.5 * ((x - 2.0) ** 2 / 5.0 + y**2 / 9.0) - 3.0 * z) * 3.0
    background /= 2.0 * np.pi * np.sqrt(45.0)
    s, b = toy.expected
    slopes = {
        "s": signal,
        "r": b * background * (x - 2.0) / 5.0,
        "lambda": b * background * (1.0 / 3.0 - z),
        "b": background,
    }
    mixture = 0.5 * (signal + background)
    jacobian = np.stack([slopes[name] for name in toy.prior], axis=1)
    variance = (s * signal + b * background) * mixture * size
    return linear_sigma(jacobian, variance, np.array(list(toy.prior.values())))


def fill(events: LinearEvents, scores: FloatArray, moved: FloatArray, edges: FloatArray) -> Any:
    """Give the linear model of hard bins with inner edges (K - 1,)."""
    bins = len(edges) + 1
    places, of_moved = (np.searchsorted(edges, item, side="right") for item in (scores, moved))
    slopes = np.stack([np.bincount(places, c, minlength=bins) for c in events.slopes.T], axis=1)
    np.add.at(slopes, (of_moved, events.moved_by), events.moved_slopes)
    yields = np.bincount(places, events.yields, minlength=bins)
    signal = np.bincount(places, np.where(events.is_signal, events.yields, 0.0), minlength=bins)
    return LinearModel(
        slopes, yields, yields - signal, np.zeros(bins), events.control_slopes,
        events.control_yields, events.prior,
    )  # fmt: skip


def sigma_in(
    toy: Toy, sample: Sample, score: Any, edges: FloatArray | None = None, bins: int = 10
) -> float:
    """Give sigma of hard bins of a score; `bins` of equal width in the probability if no edges."""
    events = toy.linear(sample)
    scores, moved = score(events.nominal.features), score(events.shifted.features)
    if edges is None:
        edges = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    model = fill(events, scores, moved, edges)
    return float(model.sigma(np.flatnonzero(model.expected > 0.0)))


def choose_edges(toy: Toy, sample: Sample, score: Any, bins: int = 10) -> FloatArray:
    """Choose edges of a score with the smallest sigma.

    They start at the quantiles of the equal mixture of signal and background, and each in turn
    moves to the best of the fine bins until none moves.
    """
    events = toy.linear(sample)
    scores, moved = score(events.nominal.features), score(events.shifted.features)
    steps = np.linspace(0.0, 1.0, FINE // 2 + 1)[1:-1]
    classes = (events.is_signal, ~events.is_signal)
    edges = np.unique(np.concatenate([np.quantile(scores[item], steps) for item in classes]))
    model = fill(events, scores, moved, edges)
    start = np.quantile(scores, np.arange(1, bins) / bins)  # as many events of each class
    starts = [0, *np.unique(np.searchsorted(edges, start) + 1)]
    if len(starts) < bins:  # many events have the same score
        starts = [int(i) for i in np.unique(np.linspace(0, len(edges), bins, dtype=int))]
    best, improved = _sigma(model, starts), True
    while improved:
        improved = False
        for i in range(1, len(starts)):
            stop = starts[i + 1] if i + 1 < len(starts) else len(edges) + 1
            for place in range(starts[i - 1] + 1, stop):
                tried = [*starts[:i], place, *starts[i + 1 :]]
                value = _sigma(model, tried)
                if value < best - 1e-9:
                    best, starts, improved = value, tried, True
    return np.asarray(edges[[place - 1 for place in starts[1:]]])


def _sigma(model: LinearModel, starts: Sequence[int]) -> float:
    """Give sigma of bins; infinite if they cannot tell the parameters apart."""
    try:
        return model.sigma(starts)
    except LikelihoodError:
        return np.inf


def train_toy(
    toy: Toy, samples: Sequence[Sample], settings: Training, seed: int
) -> tuple[Any, Any, Any]:
    """Train on the first sample, stopped by the second; give scores before and after, and a record.

    Returns
    -------
    before, after
        Features (n, f) → probability of the signal (n,), with cross-entropy and after it.
    fitted
        What the training leaves.
    """
    from taipan.nn.fold import FoldPlan, make_engine, train_fold

    events = join([toy.linear(sample, fold) for fold, sample in enumerate(samples)])
    rows = events.nominal
    training_set = TrainingSet(
        rows.features,
        tuple(f"x{i}" for i in range(rows.features.shape[1])),
        events.is_signal.astype(np.int64),
        events.yields,
        rows.folds,
        np.where(events.is_signal, "signal", "background"),
        rows.identifiers,
    )
    none = np.zeros(len(rows), dtype=bool)
    split = Split(2, rows.folds == 0, rows.folds == 1, none)
    weights = training_set.training_weights()

    def run(loss: str) -> tuple[Any, Any]:
        own = settings.model_copy(update={"loss": loss})
        linear = events if own.is_fine_tuned else None
        engine = make_engine(training_set, own, linear=linear)
        fitted = train_fold(engine, training_set, weights, split, FoldPlan(own), seed)
        model = engine.network.score

        def score(features: NDArray[Any]) -> FloatArray:
            pieces = [
                model(features[i : i + 65536].astype(np.float32)).numpy()[:, 0]
                for i in range(0, len(features), 65536)
            ]
            return np.concatenate(pieces).astype(np.float64) if pieces else np.zeros(0)

        return score, fitted

    before, _ = run("crossentropy")
    after, fitted = run(settings.loss)
    return before, after, fitted


def measure(
    toy: Toy, draw: Any, settings: Training, seed: int, sizes: tuple[int, int]
) -> dict[str, Any]:
    """Train with one seed, and give sigma on independent events of every way to bin."""
    generator = np.random.default_rng(seed)
    samples = [draw(sizes[0], generator) for _ in range(2)]
    test = draw(sizes[1], generator)
    start = time.process_time()
    before, after, fitted = train_toy(toy, samples, settings, seed)
    return {
        "seed": seed,
        "cross-entropy, equal bins": sigma_in(toy, test, before),
        "cross-entropy, optimised bins": sigma_in(
            toy, test, before, choose_edges(toy, samples[1], before)
        ),
        settings.loss: sigma_in(toy, test, after, choose_edges(toy, samples[1], after)),
        "step": fitted.best_epoch,
        "start_and_best": [fitted.history["validation_objective"][0], fitted.value],
        "cpu_seconds": time.process_time() - start,
    }


def toy_settings(loss: str, **keys: Any) -> Training:
    """Give the settings of the toys: many events, so that many steps do not overfit."""
    sensitivity = {
        "bins": 10, "warmup_steps": 5, "steps": 300, "patience": 60, "learning_rate": 3e-3, **keys,
    }  # fmt: skip
    return Training(
        loss=loss, folds=3, networks=1, hidden_layers=[64, 64], dropout=0.0, l2=0.0,
        epochs=15, patience=15, batch_size=1024, learning_rate=3e-3, checkpoint_every=0,
        sensitivity=Sensitivity(**sensitivity),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toy", nargs="*", default=["two_gaussians", "inferno"])
    parser.add_argument("--benchmarks", nargs="*", default=list(INFERNO))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--loss", default="sannt")
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--test", type=int, default=200_000)
    parser.add_argument("--set", nargs="*", default=[], help="key=value of training.sensitivity")
    chosen = parser.parse_args()
    keys = {k: json.loads(v) for k, v in (item.split("=") for item in chosen.set)}
    sizes = (chosen.size, chosen.test)
    settings = toy_settings(chosen.loss, **keys)
    for seed in range(1, chosen.seeds + 1):
        if "two_gaussians" in chosen.toy:
            found = measure(TWO_GAUSSIANS, draw_two_gaussians, settings, seed, sizes)
            print(json.dumps({"toy": "two_gaussians", **found}), flush=True)
        if "inferno" in chosen.toy:
            for name in chosen.benchmarks:
                found = measure(INFERNO[name], draw_inferno, settings, seed, sizes)
                print(json.dumps({"toy": name, **found}), flush=True)


if __name__ == "__main__":
    main()
