"""Bias and joint coverage of several parameters of interest, on the templates of a finished run.

    python benchmarks/joint_coverage.py RESULTS/ANALYSIS/workspace.json [--size 500] [--seed 7]

For each of three true points, pseudo-experiments are drawn from the workspace: Poisson counts, and
auxiliary measurements that fluctuate around nominal nuisance parameters. Both parameters are
fitted; printed are the mean of each estimate with its standard error, and how often the contours
of 68.27 % and 95.45 % hold the truth, in binomial standard deviations from what they promise.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from taipan.atomic import read_json
from taipan.inference import compile_model
from taipan.inference.contour import CONTOUR_LEVELS
from taipan.inference.joint import fit_jointly
from taipan.inference.toys import draw_data

TRUTHS = ((0.0, 0.0), (1.0, 1.0), (2.0, 0.5))


def main() -> None:
    """Print one row for each true point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    workspace = read_json(options.workspace)
    names = [item["config"]["poi"] for item in workspace["measurements"]][:2]
    model = compile_model(workspace)
    places = [model.parameters.index(name) for name in names]
    rng = np.random.default_rng(options.seed)
    print(
        f"| {', '.join(names)} | mean ± error | in σ | "
        + " | ".join(f"{100 * level:.2f} % contour" for level in CONTOUR_LEVELS)
        + " | failed | s |"
    )
    for truth in TRUTHS:
        start = time.perf_counter()
        values = model.parameters.initial.copy()
        values[places] = truth
        data = np.array([draw_data(model, values, rng) for _ in range(options.size)])
        found = fit_jointly(model, data, names, np.tile(truth, (options.size, 1)))
        good = np.isfinite(found.rises)
        estimates = found.estimates[good]
        error = estimates.std(axis=0, ddof=1) / np.sqrt(good.sum())
        mean = estimates.mean(axis=0)
        cells = [
            ", ".join(f"{m:.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)),
            ", ".join(f"{d:+.1f}" for d in (mean - truth) / error),
        ]
        for level in CONTOUR_LEVELS:
            part = found.coverage(level)
            sigma = np.sqrt(level * (1.0 - level) / good.sum())
            cells.append(f"{100 * part:.1f} % ({(part - level) / sigma:+.1f} σ)")
        cells += [str((~good).sum()), f"{time.perf_counter() - start:.0f}"]
        print(f"| {truth} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
