"""Small random workspaces with what leads fits astray."""

from __future__ import annotations

import numpy as np


def make_random_workspace(rng):
    """Zero-yield samples, negative templates, same-side variations, few events, empty bins."""
    n_bins = int(rng.integers(1, 5))
    names = [f"bkg_{i}" for i in range(rng.integers(1, 4))]
    systematics = [f"syst_{i}" for i in range(rng.integers(0, 4))]
    statistics = rng.random() < 0.5
    samples = []
    for name in ["signal", *names]:
        scale = 10.0 ** rng.uniform(-0.5, 1.5)
        data = scale * rng.uniform(0.2, 1.5, n_bins)
        if name != "signal":
            data = np.where(rng.random(n_bins) < 0.2, 0.0, data)
            data = np.where(rng.random(n_bins) < 0.2, 1e-3 * data, data)
            if name != "bkg_0" and rng.random() < 0.2:
                data = -0.3 * data
        samples.append(_sample(name, data, systematics, statistics, rng))
    total = np.sum([s["data"] for s in samples], axis=0)
    if (total <= 0.0).any():
        return make_random_workspace(rng)
    mu = rng.choice([0.0, 1.0, 2.0])
    expected = np.maximum(total + (mu - 1.0) * np.array(samples[0]["data"]), 0.0)
    observed = rng.poisson(expected).astype(float)
    low = 0.0 if rng.random() < 0.5 else -10.0
    return {
        "channels": [{"name": "sr", "samples": samples}],
        "observations": [{"name": "sr", "data": observed.tolist()}],
        "measurements": [
            {
                "name": "fit",
                "config": {
                    "poi": "mu",
                    "parameters": [{"name": "mu", "bounds": [[low, 30.0]], "inits": [1.0]}],
                },
            }
        ],
        "version": "1.0.0",
    }


def _sample(name, data, systematics, statistics, rng):
    scale = np.abs(data).max()
    modifiers = []
    if name == "signal":
        modifiers.append({"name": "mu", "type": "normfactor", "data": None})
    for systematic in systematics:
        if rng.random() < 0.4 and name != "signal":
            continue
        shift = rng.normal(0.0, 0.1, len(data)) * np.where(rng.random() < 0.3, scale, np.abs(data))
        other = shift if rng.random() < 0.3 else -shift
        other = other * rng.uniform(0.7, 1.3, len(data))
        shapes = {"hi_data": (data + shift).tolist(), "lo_data": (data + other).tolist()}
        modifiers.append({"name": systematic, "type": "histosys", "data": shapes})
        if rng.random() < 0.5:
            norms = {"hi": float(rng.uniform(0.95, 1.2)), "lo": float(rng.uniform(0.85, 1.02))}
            modifiers.append({"name": systematic, "type": "normsys", "data": norms})
    if statistics and (data >= 0.0).all():
        errors = np.where(data > 0.0, np.abs(data) * rng.uniform(0.02, 0.5), 0.0)
        modifiers.append({"name": "stat_sr", "type": "staterror", "data": errors.tolist()})
    return {"name": name, "data": data.tolist(), "modifiers": modifiers}
