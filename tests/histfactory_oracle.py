"""A second HistFactory likelihood, written from its description (CERN-OPEN-2012-016) alone.

It shares no code with the project. Negative rates have no likelihood, and MINUIT minimises from
several starts, so it is slow and hard to lead astray.
"""

from __future__ import annotations

import functools
import warnings

import iminuit
import numpy as np
from scipy.special import gammaln

NOWHERE = 1e8


class Oracle:
    """−ln L of a pyhf workspace with normfactor, normsys, histosys and staterror."""

    def __init__(self, workspace):
        self.poi = workspace["measurements"][0]["config"]["poi"]
        self.names, self.start, self.low, self.high = [], [], [], []
        self.alphas, self.gammas = [], []
        given = {p["name"]: p for p in workspace["measurements"][0]["config"].get("parameters", [])}
        observed = {o["name"]: o["data"] for o in workspace["observations"]}
        self.channels = []
        for channel in workspace["channels"]:
            samples = []
            errors, totals = {}, {}
            for sample in channel["samples"]:
                nominal = np.array(sample["data"], dtype=float)
                parts = {"nominal": nominal, "shapes": [], "norms": [], "factors": [], "gamma": []}
                for modifier in sample["modifiers"]:
                    name, kind, data = modifier["name"], modifier["type"], modifier["data"]
                    if kind == "normfactor":
                        settings = given.get(name, {})
                        low, high = settings.get("bounds", [[0.0, 10.0]])[0]
                        start = settings.get("inits", [1.0])[0]
                        parts["factors"].append(self._add(name, start, low, high))
                    elif kind == "staterror":
                        size = len(nominal)
                        errors[name] = errors.get(name, np.zeros(size)) + np.square(data)
                        totals[name] = totals.get(name, np.zeros(size)) + nominal
                        places = [self._add(f"{name}[{i}]", 1.0, 1e-10, 10.0) for i in range(size)]
                        parts["gamma"].append(places)
                    else:
                        place = self._add(name, 0.0, -5.0, 5.0)
                        if place not in self.alphas:
                            self.alphas.append(place)
                        if kind == "normsys":
                            parts["norms"].append((place, data["hi"], data["lo"]))
                        else:
                            up, down = np.array(data["hi_data"]), np.array(data["lo_data"])
                            parts["shapes"].append((place, up - nominal, down - nominal))
                samples.append(parts)
            for name, square in errors.items():
                for i, value in enumerate(square):
                    if value > 0.0:
                        width = np.sqrt(value) / totals[name][i]
                        self.gammas.append((self.names.index(f"{name}[{i}]"), width))
            self.channels.append((samples, np.array(observed[channel["name"]], dtype=float)))
        self.counts = np.concatenate([data for _, data in self.channels])
        self.free_gammas = {place for place, _ in self.gammas}
        self.constant = [
            i for i, n in enumerate(self.names) if "[" in n and i not in self.free_gammas
        ]

    def _add(self, name, start, low, high):
        if name not in self.names:
            self.names.append(name)
            self.start.append(start)
            self.low.append(low)
            self.high.append(high)
        return self.names.index(name)

    def rates(self, values):
        everything = []
        for samples, _ in self.channels:
            total = 0.0
            for part in samples:
                content = part["nominal"]
                for place, up, down in part["shapes"]:
                    content = content + _shape(values[place], up, down)
                for place, high, low in part["norms"]:
                    content = content * _norm(values[place], high, low)
                for place in part["factors"]:
                    content = content * values[place]
                for places in part["gamma"]:
                    content = content * values[places]
                total = total + content
            everything.append(total)
        return np.concatenate(everything)

    def constraint(self, values, centre):
        pulls = values[self.alphas] - centre[self.alphas]
        total = 0.5 * pulls @ pulls + 0.5 * np.log(2.0 * np.pi) * len(self.alphas)
        for place, width in self.gammas:
            total += 0.5 * ((values[place] - centre[place]) / width) ** 2
            total += np.log(np.sqrt(2.0 * np.pi) * width)
        return total

    def nll(self, values, counts=None, centre=None):
        """−ln L; `NOWHERE` and more where a rate is negative, or zero under data."""
        counts = self.counts if counts is None else counts
        centre = np.array(self.start) if centre is None else centre
        rates = self.rates(values)
        bad = (rates < -1e-7) | ((counts > 0.0) & (rates <= 0.0))
        if bad.any():
            return NOWHERE * (1.0 - rates[bad].sum())
        positive = np.where(counts > 0.0, rates, 1.0)
        poisson = rates - counts * np.log(positive) + gammaln(counts + 1.0)
        return float(poisson.sum() + self.constraint(values, centre))

    def minimise(self, *, mu=None, counts=None, centre=None, starts=()):
        """The lowest −ln L that MIGRAD finds from the starts."""
        lowest = np.inf
        for start in starts:
            point = np.clip(start, np.array(self.low) + 1e-6, self.high)
            if mu is not None:
                point[self.names.index(self.poi)] = mu
            if self.nll(point, counts, centre) >= NOWHERE:
                continue
            fitter = iminuit.Minuit(lambda values: self.nll(values, counts, centre), point)
            fitter.errordef = 0.5
            fitter.limits = list(zip(self.low, self.high, strict=True))
            fitter.fixed = [i in self.constant for i in range(len(point))]
            if mu is not None:
                fitter.fixed[self.names.index(self.poi)] = True
                fitter.limits[self.names.index(self.poi)] = None
            fitter.tol = 1e-3
            fitter.strategy = 0
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fitter.migrad(ncall=3000)
            lowest = min(lowest, fitter.fval)
        return lowest


def _shape(alpha, up, down):
    if abs(alpha) > 1.0:
        return alpha * up if alpha > 0.0 else -alpha * down
    even = (up + down) * (3.0 * alpha**6 - 10.0 * alpha**4 + 15.0 * alpha**2) / 16.0
    return 0.5 * alpha * (up - down) + even


def _norm(alpha, high, low):
    if alpha >= 1.0:
        return high**alpha
    if alpha <= -1.0:
        return low**-alpha
    odd, even = _inner(high, low)
    square = alpha * alpha
    return (
        1.0 + alpha * (odd @ (1.0, square, square**2)) + square * (even @ (1.0, square, square**2))
    )


@functools.lru_cache(maxsize=1024)
def _inner(high, low):
    """The polynomial that meets both exponentials with two derivatives: α, α³, α⁵; α², α⁴, α⁶."""
    up = np.array([high - 1.0, high * np.log(high), high * np.log(high) ** 2])
    down = np.array([low - 1.0, -low * np.log(low), low * np.log(low) ** 2])
    sign = np.array([1.0, -1.0, 1.0])
    odd = np.linalg.solve([[1, 1, 1], [1, 3, 5], [0, 6, 20]], 0.5 * (up - sign * down))
    even = np.linalg.solve([[1, 1, 1], [2, 4, 6], [2, 12, 30]], 0.5 * (up + sign * down))
    return odd, even
