"""All attacks on the events of one sample, as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.config.sections.robustness import Robustness
from taipan.robustness.conserve import Bounds, conserve_events, keep_within
from taipan.robustness.distances import Marginals, correlate, correlation_change
from taipan.robustness.events import AttackedSample, is_inside
from taipan.robustness.minifool import MiniFool, measure_flips
from taipan.robustness.model import AttackTarget, ScoreOfRows, fooling_ratio, share
from taipan.robustness.shuffle import Shuffle, list_continuous, shuffle_events
from taipan.robustness.sources import SourceAttack, attack_by_sources, draw_source_noise

Array = NDArray[np.float64]

PHYSICAL = "sources: objects are shifted and every feature is computed anew"
UNPHYSICAL = "features: each moves on its own, which breaks relations between them"


@dataclass(frozen=True)
class MovedTemplates:
    """Histograms of the score of one sample.

    Attributes
    ----------
    nominal, attacked
        Shape ``(b,)``; `attacked` under an attack of 1 σ by the sources, within the bounds.
    shifts
        Source → half the difference of +1σ and −1σ, shape ``(b,)``.
    """

    nominal: Array
    attacked: Array
    shifts: dict[str, Array]

    def describe(self) -> dict[str, Any]:
        """Give them as JSON can hold them."""
        shifts = {name: values.tolist() for name, values in self.shifts.items()}
        return {
            "nominal": self.nominal.tolist(),
            "attacked": self.attacked.tolist(),
            "shifts": shifts,
        }

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> MovedTemplates:
        """Read what :meth:`describe` gives."""
        shifts = {name: np.array(values) for name, values in found["shifts"].items()}
        return cls(np.array(found["nominal"]), np.array(found["attacked"]), shifts)


@dataclass(frozen=True)
class Attacker:
    """What all samples are attacked with.

    Attributes
    ----------
    score
        Features (n, f) and folds (n,) → scores (n,).
    settings
        Section `robustness`.
    categorical
        Names of categorical features, which no attack on features touches.
    cut, edges
        Cut of the region, and edges of the bins of the score.
    seed
        Seed of all random numbers.
    """

    score: ScoreOfRows
    settings: Robustness
    categorical: Sequence[str]
    cut: str
    edges: Array
    seed: int

    def target(self, sample: AttackedSample) -> AttackTarget:
        """Events of a sample with the uncertainties of their features."""
        sources, columns = sample.sources, sample.columns
        none = np.zeros((len(sample.weights), len(sources.names)))
        events = sources.stack(sources.quantities(columns, none))
        sigma = sources.measure_sigma(columns)
        continuous = list_continuous(events)
        for i, name in enumerate(sources.features):
            if name in self.settings.resolutions:
                sigma[:, i] = np.hypot(sigma[:, i], self.settings.resolutions[name])
            if name in self.categorical or i not in continuous:
                sigma[:, i] = 0.0
        sigma = np.where(np.isfinite(events), sigma, 0.0)

        def score(values: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
            return self.score(values, sample.folds[rows])

        return AttackTarget(score, events, sigma, sample.is_signal, sample.weights)

    def bounds(self, size: float | None) -> Bounds:
        """Bounds of the configuration."""
        found = self.settings
        return Bounds(found.max_distance, found.max_correlation, size, found.bins)

    def attack(self, sample: AttackedSample) -> tuple[dict[str, Any], MovedTemplates]:
        """Attack one sample; give its numbers (``docs/robustness.md``), and its templates."""
        target = self.target(sample)
        before = target.scores()
        names = sample.sources.features
        moves = np.any(target.sigma > 0, axis=0)
        numbers: dict[str, Any] = {
            "events": len(before),
            "yield": float(sample.weights.sum()),
            "right": share(target.weights, target.is_right(before), np.ones(len(before), bool)),
            "sources": sample.sources.names,
            "held": [name for i, name in enumerate(names) if not moves[i]],
            "sigma": {
                name: float(np.median(target.sigma[target.sigma[:, i] > 0, i]))
                for i, name in enumerate(names)
                if moves[i]
            },
        }
        marginals = Marginals.of(target.events, target.weights, self.settings.bins)
        floor = marginals.floor(np.random.default_rng(self.seed))
        numbers["distance_floor"] = float(floor.max())
        numbers |= self._attack_features(target, marginals)
        found, templates = self._attack_sources(sample, target, marginals)
        return numbers | found, templates

    def _attack_features(self, target: AttackTarget, marginals: Marginals) -> dict[str, Any]:
        rng = np.random.default_rng(self.seed)
        most = len(list_continuous(target.events))
        chosen = Shuffle(features=min(self.settings.shuffled, max(1, most)))
        shuffled = shuffle_events(target, chosen, rng)
        found: dict[str, Any] = {
            "shuffle": {"space": UNPHYSICAL, **self._describe(target, shuffled, marginals)}
        }
        if not (target.sigma > 0).any() or not target.has_gradient():
            return found  # trees, and samples that nothing moves
        settings = MiniFool(alpha=self.settings.alpha)
        flips = [measure_flips(target, settings, size, rng) for size in self.settings.sizes]
        hidden = [
            {
                "size": size,
                **self._describe(
                    target, conserve_events(target, self.bounds(size), rng), marginals
                ),
            }
            for size in self.settings.sizes
        ]
        return {
            **found,
            "minifool": {"space": UNPHYSICAL, "flips": [asdict(item) for item in flips]},
            "hidden": {"space": UNPHYSICAL, "sizes": hidden},
        }

    def _describe(self, target: AttackTarget, after: Array, marginals: Marginals) -> dict[str, Any]:
        clean = correlate(target.events, target.weights)
        return {
            "fooled": fooling_ratio(target, after),
            "distance": float(marginals.distances(after).max()),
            "correlation": correlation_change(clean, correlate(after, target.weights)),
        }

    def _attack_sources(
        self, sample: AttackedSample, target: AttackTarget, marginals: Marginals
    ) -> tuple[dict[str, Any], MovedTemplates]:
        nominal = self._fill(target.scores(), target.weights)
        if not sample.sources.names:
            return {}, MovedTemplates(nominal, nominal, {})
        rng = np.random.default_rng(self.seed)
        way = -1.0 if sample.is_signal else 1.0
        right = target.is_right(target.scores())
        rows, attacked, found = target.rows, nominal, []
        result: SourceAttack | None = None
        for size in sorted({1.0, *self.settings.sizes}):
            result = attack_by_sources(
                sample.sources,
                sample.columns,
                lambda events: target.scores(events, rows),
                way,
                size,
                start=result,
            )
            noise = draw_source_noise(result.pulls, size, rng)
            noisy = sample.sources.stack(sample.sources.quantities(sample.columns, noise))
            control = target.is_right(target.scores(noisy))
            kept = keep_within(target, result.events, self.bounds(size), rng)
            moves = np.ones(len(kept), dtype=bool)
            fooled = right & ~target.is_right(result.scores)
            # of those that are fooled, as many as nobody sees
            moved = np.where(fooled[:, None], result.events, target.events)
            seen = keep_within(target, moved, self.bounds(size), rng)
            hidden = np.where(seen[:, None], moved, target.events)
            if size == 1.0:
                inside = is_inside(result.quantities, self.cut)
                whole = self._fill(result.scores[inside], target.weights[inside])
                # which events it were is chance: each counts by the part of them that nobody sees
                attacked = nominal + share(target.weights, kept, moves) * (whole - nominal)
            found.append(
                {
                    "size": size,
                    **self._describe(target, result.events, marginals),
                    "control": share(target.weights, right & ~control, right),
                    "kept": float(kept.mean()),
                    "hidden": fooling_ratio(target, hidden),
                }
            )
        numbers = {"physical": {"space": PHYSICAL, "sizes": found}}
        return numbers, MovedTemplates(nominal, attacked, self._shift_templates(sample, target))

    def _shift_templates(self, sample: AttackedSample, target: AttackTarget) -> dict[str, Array]:
        """Half the difference of the templates at ±1σ of each source, events in and out of cuts."""
        found = {}
        for position, name in enumerate(sample.sources.names):
            both = []
            for sign in (1.0, -1.0):
                pulls = np.zeros((len(target.events), len(sample.sources.names)))
                pulls[:, position] = sign
                quantities = sample.sources.quantities(sample.columns, pulls)
                inside = is_inside(quantities, self.cut)
                scores = target.scores(sample.sources.stack(quantities))
                both.append(self._fill(scores[inside], target.weights[inside]))
            found[name] = 0.5 * (both[0] - both[1])
        return found

    def _fill(self, scores: Array, weights: Array) -> Array:
        return np.histogram(scores, self.edges, weights=weights)[0].astype(np.float64)
