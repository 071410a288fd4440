"""−ln L of a datacard by Combine's own formulae, as a reference of its workspace.

Nothing here knows pyhf. Yields are those of ``CMSHistFunc``, ``CMSHistErrorPropagator``,
``AsymPow`` and ``FastVerticalInterpHistPdf2`` of Combine (arXiv:2404.06614, section 2). The
parameters have the names and units of the workspace: those of bins and of ``gmN`` are factors
around 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from taipan.exchange.card_model import CardModel, Channel, Process, asymmetric_log, morph_shift
from taipan.exchange.card_statistics import (
    BinParameters,
    choose_parameters,
    gauss_name,
    poisson_name,
    total_name,
)
from taipan.exchange.card_workspace import factor_name
from taipan.exchange.read_card import POI

Array = npt.NDArray[np.float64]

# Combine never lets a bin of a template or of a sum fall below this.
FLOOR = 1e-9


@dataclass(frozen=True)
class CardDensity:
    """−ln L of a card.

    Attributes
    ----------
    model
        Numbers of the card.
    statistics
        Parameters of the bins, channel by channel.
    """

    model: CardModel
    statistics: tuple[BinParameters, ...]

    def __call__(self, values: Mapping[str, float]) -> float:
        """Give −ln L.

        Parameters
        ----------
        values
            Parameter → value, by its name in the workspace (``name[3]`` for bins).
        """
        total = self._constraints(values)
        for channel, chosen in zip(self.model.channels, self.statistics, strict=True):
            expected, penalty = self._expect(channel, chosen, values)
            total += penalty + _poisson(channel.observed, expected)
        return total

    def _constraints(self, values: Mapping[str, float]) -> float:
        total = 0.0
        for name in self.gaussian_names():
            total += 0.5 * values[name] ** 2
        for name, (mean, sigma) in self.model.constrained.items():
            total += 0.5 * ((values[factor_name(self.model, name)] - mean) / sigma) ** 2
        for name, count in self.model.gammas.items():
            expected = np.array([values[name] * max(count, 1)])
            total += _poisson(np.array([float(count)]), expected)
        return total

    def gaussian_names(self) -> list[str]:
        """Parameters of ``lnN`` and ``shape``."""
        names: dict[str, None] = {}
        for channel in self.model.channels:
            for process in channel.processes:
                names |= dict.fromkeys((*process.norms, *process.morphs))
        return list(names)

    def coefficients(self, channel: Channel, values: Mapping[str, float]) -> Array:
        """Factor of each process by which its template is multiplied, shape ``(processes,)``."""
        found = []
        for process in channel.processes:
            factor = values[POI] if process.signal else 1.0
            for name in process.factors:
                factor *= values[factor_name(self.model, name)]
            power = sum(
                asymmetric_log(values[name], log_down, log_up)
                for name, (log_down, log_up) in process.norms.items()
            )
            found.append(factor * np.exp(power))
        return np.array(found)

    def is_cut(self, values: Mapping[str, float]) -> bool:
        """Say whether a template, or an expectation, falls below zero, where Combine cuts it."""
        for channel, chosen in zip(self.model.channels, self.statistics, strict=True):
            for process in channel.processes:
                if not process.morphs:
                    continue
                shape = self._morph(process, values, channel.statistics is not None)
                if (shape < -FLOOR * process.values.max()).any():
                    return True
            expected, _ = self._expect(channel, chosen, values)
            if (expected <= FLOOR).any():
                return True
        return False

    @staticmethod
    def _morph(process: Process, values: Mapping[str, float], in_propagator: bool) -> Array:
        shape = process.values
        for name, morph in process.morphs.items():
            shape = shape + morph_shift(
                process.values, morph, values[name], in_propagator=in_propagator
            )
        return shape

    def _expect(
        self, channel: Channel, chosen: BinParameters, values: Mapping[str, float]
    ) -> tuple[Array, float]:
        in_propagator = channel.statistics is not None
        factors = self.coefficients(channel, values)
        templates = []
        for process in channel.processes:
            shape = self._morph(process, values, in_propagator)
            cropped = np.maximum(shape, FLOOR) if process.morphs else shape
            if not in_propagator and process.morphs:
                cropped = cropped * (process.values.sum() / cropped.sum())
            templates.append(cropped)
        yields = factors[:, None] * np.array(templates)
        widths = factors[:, None] * np.array([p.errors for p in channel.processes])
        penalty = 0.0
        for row, process in enumerate(channel.processes):
            name = poisson_name(channel.name, process.name)
            for i in np.flatnonzero(chosen.poisson[row]):
                factor, count = values[f"{name}[{i}]"], chosen.poisson[row, i]
                yields[row, i] *= factor
                penalty += _poisson(np.array([count]), np.array([count * factor]))
            name = gauss_name(channel.name, process.name)
            for i in np.flatnonzero(chosen.gauss[row]):
                relative = process.errors[i] / process.values[i]
                pull = (values[f"{name}[{i}]"] - 1.0) / relative
                yields[row, i] += pull * widths[row, i]
                penalty += 0.5 * pull**2
        expected = yields.sum(axis=0)
        pulls = self._pulls(channel, chosen, values)
        expected = expected + pulls * np.sqrt(np.square(widths).sum(axis=0))
        penalty += 0.5 * float(np.square(pulls).sum())
        return np.maximum(expected, FLOOR), penalty

    def _pulls(self, channel: Channel, chosen: BinParameters, values: Mapping[str, float]) -> Array:
        """Parameters of whole bins in standard deviations; the workspace has factors."""
        pulls = np.zeros(len(channel.observed))
        with_error = [p for p in channel.processes if p.errors[chosen.total].any()]
        for i in np.flatnonzero(chosen.total):
            yields = sum(p.values[i] for p in with_error)
            error = np.sqrt(sum(p.errors[i] ** 2 for p in with_error))
            factor = values[f"{total_name(channel.name)}[{i}]"]
            pulls[i] = (factor - 1.0) * abs(yields) / error
        return pulls


def card_density(model: CardModel) -> CardDensity:
    """Prepare −ln L of a card."""
    return CardDensity(model, tuple(choose_parameters(model, c) for c in model.channels))


def _poisson(observed: Array, expected: Array) -> float:
    """−ln of Poisson probabilities; a count of zero needs no logarithm."""
    positive = observed > 0.0
    logs = np.zeros_like(expected)
    logs[positive] = np.log(np.maximum(expected[positive], 1e-300))
    return float((expected - observed * logs + gammaln(observed + 1.0)).sum())
