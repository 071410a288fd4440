"""Workspaces of any size with every kind of systematic, made up from closed formulae."""

from __future__ import annotations

from typing import Any

import numpy as np


def make_workspace(
    norms: int = 13,
    shapes: int = 18,
    regions: int = 4,
    bins: int = 15,
    samples: int = 6,
    seed: int = 1,
) -> dict[str, Any]:
    """`norms` + `shapes` nuisances, a staterror per bin, rising signal and falling backgrounds."""
    rng = np.random.default_rng(seed)
    centre = (np.arange(bins) + 0.5) / bins
    channels, observations = [], []
    for c in range(regions):
        made, total = [], np.zeros(bins)
        for i in range(samples):
            size = 40.0 if i == 0 else 800.0 * rng.uniform(0.3, 1.5)
            density = np.exp((3.0 if i == 0 else -rng.uniform(0.5, 3.0)) * centre)
            yields = size * density / density.sum()
            total += yields
            modifiers: list[dict[str, Any]] = []
            if i == 0:
                modifiers.append({"name": "mu", "type": "normfactor", "data": None})
            for k in range(norms):
                if (k + i) % 3 == 0:
                    change = rng.uniform(0.01, 0.08)
                    data = {"hi": 1.0 + change, "lo": 1.0 / (1.0 + change)}
                    modifiers.append({"name": f"norm{k:03d}", "type": "normsys", "data": data})
            for k in range(shapes):
                if (k + i) % 3 == 0:
                    tilt = rng.normal(0.0, 0.03) + rng.normal(0.0, 0.06) * (centre - 0.5)
                    half = 0.5 * abs(float(tilt[0]))
                    data = {"hi": 1.0 + half, "lo": 1.0 - half}
                    modifiers.append({"name": f"shape{k:03d}", "type": "normsys", "data": data})
                    both = {
                        "hi_data": (yields * (1.0 + tilt)).tolist(),
                        "lo_data": (yields * (1.0 - tilt + 0.2 * tilt**2)).tolist(),
                    }
                    modifiers.append({"name": f"shape{k:03d}", "type": "histosys", "data": both})
            errors = np.sqrt(0.3 * yields).tolist()
            modifiers.append({"name": f"staterror_r{c}", "type": "staterror", "data": errors})
            name = "signal" if i == 0 else f"bkg{i}"
            made.append({"name": name, "data": yields.tolist(), "modifiers": modifiers})
        channels.append({"name": f"r{c}", "samples": made})
        observations.append({"name": f"r{c}", "data": rng.poisson(total).astype(float).tolist()})
    settings = {
        "poi": "mu",
        "parameters": [{"name": "mu", "bounds": [[-10.0, 20.0]], "inits": [1.0]}],
    }
    return {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "m", "config": settings}],
        "version": "1.0.0",
    }
