"""Ranking, toys and scaling of the fits against cabinetry and pyhf, on NumPy and on JAX.

    python benchmarks/inference.py [--parameters N] [--toys N]

One process, one thread each. Slow peers are timed on a part (`--parameters`, `--toys`) spread
over all of it, and scaled up; the output says so. Preparing the model counts as ours, its first
call included. Processor time is compared, so that other load on the machine does not matter much.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.made_up_models import make_workspace  # noqa: E402


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, processor seconds and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = function()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def cabinetry_ranking(workspace: dict[str, Any], number: int) -> tuple[float, float, dict]:
    """Seconds of the whole ranking from that of `number` parameters, and their impacts."""
    import cabinetry
    import pyhf

    pyhf.set_backend("numpy")
    model, data = cabinetry.model_utils.model_and_data(workspace)
    best, first_cpu, first_wall = timed(lambda: cabinetry.fit.fit(model, data))
    moving = [i for i, name in enumerate(best.labels) if name != "mu" and best.uncertainty[i] > 0]
    chosen = [moving[i] for i in np.linspace(0, len(moving) - 1, number).astype(int)]
    prefit = cabinetry.model_utils.prefit_uncertainties(model)
    poi = best.labels.index("mu")
    impacts, cpu, wall = {}, 0.0, 0.0
    for i in chosen:

        def rank(i: int = i) -> list[float]:
            values = []
            for step in (prefit[i], -prefit[i], best.uncertainty[i], -best.uncertainty[i]):
                start, fixed = model.config.suggested_init(), model.config.suggested_fixed()
                start[i], fixed[i] = best.bestfit[i] + step, True
                fit = cabinetry.fit.fit(model, data, init_pars=start, fix_pars=fixed)
                values.append(fit.bestfit[poi] - best.bestfit[poi])
            return values

        impacts[best.labels[i]], one, one_wall = timed(rank)
        cpu, wall = cpu + one, wall + one_wall
    scale = len(moving) / number
    return first_cpu + scale * cpu, first_wall + scale * wall, impacts


def pyhf_toys(
    workspace: dict[str, Any], number: int, backend: str
) -> tuple[float, float, float, list[float]]:
    """Processor seconds before the second toy, processor and wall seconds of each, and estimates.

    With pyhf and SciPy. On JAX the first fit compiles the likelihood and its gradient.
    """
    import pyhf

    pyhf.set_backend("numpy")
    model = pyhf.Workspace(workspace).model()
    np.random.seed(1)
    data = model.make_pdf(np.array(model.config.suggested_init())).sample((number + 1,))
    start = time.process_time()
    pyhf.set_backend(backend)
    model = pyhf.Workspace(workspace).model()
    estimates = []

    def run(rows: list[Any]) -> None:
        for row in rows:
            fit = pyhf.infer.mle.fit(pyhf.tensorlib.astensor(row), model)
            estimates.append(float(fit[model.config.poi_index]))

    run(data[:1])
    first = time.process_time() - start
    _, cpu, wall = timed(lambda: run(data[1:]))
    return first, cpu / number, wall / number, estimates


def our_ranking(workspace: dict[str, Any]) -> tuple[dict, float, float]:
    """Impacts, processor and wall seconds, preparation of the model and first call included."""
    from taipan.inference import compile_model, fit
    from taipan.inference.impacts import rank_parameters

    def run() -> dict:
        model = compile_model(workspace)
        best = fit(model, model.observed)
        return {i.name: i for i in rank_parameters(model, model.observed, best)}

    return timed(run)


def our_toys(workspace: dict[str, Any], number: int) -> tuple[Any, float, float]:
    from taipan.inference import compile_model, pseudo_experiments

    return timed(
        lambda: pseudo_experiments(compile_model(workspace), 1.0, number, np.random.default_rng(1))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=int, default=4, help="ranked with cabinetry")
    parser.add_argument("--toys", type=int, default=20, help="fitted with pyhf")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    workspace = make_workspace()
    lines = []
    ours, cpu, wall = our_ranking(workspace)
    theirs_cpu, theirs_wall, impacts = cabinetry_ranking(workspace, options.parameters)
    worst = max(
        abs(ours[name].postfit[side] / values[2 + side] - 1.0)
        for name, values in impacts.items()
        for side in (0, 1)
        if abs(values[2 + side]) > 0.01
    )
    lines.append(
        f"| ranking of {len(ours)} parameters | {cpu:.2f} | {theirs_cpu:.0f} (from "
        f"{len(impacts)} parameters) | {theirs_cpu / cpu:.0f} |"
    )
    print(
        lines[-1], f"wall {wall:.1f} {theirs_wall:.0f}, largest difference {worst:.2%}", flush=True
    )
    _, cpu, wall = our_toys(workspace, 1000)
    for backend in ("numpy", "jax"):
        first, each, each_wall, _ = pyhf_toys(workspace, options.toys, backend)
        total = first + 999 * each
        lines.append(
            f"| 1,000 toys, pyhf on {backend} | {cpu:.2f} | {total:.0f} ({first:.1f} before the "
            f"second of {options.toys + 1} toys) | {total / cpu:.0f} |"
        )
        print(lines[-1], f"wall {wall:.1f} {1000 * each_wall:.0f}", flush=True)
    for regions, bins, norms, shapes in ((4, 15, 13, 18), (4, 25, 25, 24), (6, 35, 45, 44)):
        larger = make_workspace(norms=norms, shapes=shapes, regions=regions, bins=bins)
        ranked, cpu, _ = our_ranking(larger)
        _, toys_cpu, _ = our_toys(larger, 50)
        print(f"| {len(ranked) + 1} | {regions} × {bins} | {cpu:.2f} | {toys_cpu / 50 * 1e3:.1f} |",
              flush=True)  # fmt: skip
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
