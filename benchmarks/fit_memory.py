"""Peak memory of a fit against the estimate by which large workspaces are refused.

``python -m benchmarks.fit_memory 1000 2000``: one line for each number of bins, with and without a
statistical uncertainty per bin, each in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
MIB = 1024**2


def make_large_workspace(bins: int, statistical: bool, norms: int = 5) -> dict[str, Any]:
    """One region, a signal and two backgrounds, `norms` changes of yield and shape."""
    centre = (np.arange(bins) + 0.5) / bins
    samples, total = [], np.zeros(bins)
    for i in range(3):
        yields = (50.0 + 100.0 * i) * np.exp((2.0 if i == 0 else -i) * centre)
        total += yields
        modifiers: list[dict[str, Any]] = []
        if i == 0:
            modifiers.append({"name": "mu", "type": "normfactor", "data": None})
        for k in range(norms):
            size = 0.01 * (k + 1)
            modifiers.append(
                {"name": f"n{k}", "type": "normsys", "data": {"hi": 1 + size, "lo": 1 - size}}
            )
            tilts = {
                "hi_data": (yields * (1.0 + size * centre)).tolist(),
                "lo_data": (yields * (1.0 - size * centre)).tolist(),
            }
            modifiers.append({"name": f"n{k}", "type": "histosys", "data": tilts})
        if statistical:
            errors = np.sqrt(yields).tolist()
            modifiers.append({"name": "stat", "type": "staterror", "data": errors})
        samples.append({"name": f"s{i}", "data": yields.tolist(), "modifiers": modifiers})
    settings = {
        "poi": "mu",
        "parameters": [{"name": "mu", "bounds": [[-10.0, 20.0]], "inits": [1.0]}],
    }
    return {
        "channels": [{"name": "r", "samples": samples}],
        "observations": [{"name": "r", "data": np.round(total).tolist()}],
        "measurements": [{"name": "m", "config": settings}],
        "version": "1.0.0",
    }


def measure_fit(bins: int, statistical: bool) -> dict[str, float]:
    """Fit in a process of its own.

    Returns
    -------
    dict
        ``memory`` (peak above that of the imported package), ``estimate`` (both in MiB),
        ``parameters``, ``sigma`` of the signal strength.
    """
    arguments = [sys.executable, "-m", "benchmarks.fit_memory", "--here", str(bins)]
    arguments += ["1" if statistical else "0"]
    found = subprocess.run(arguments, cwd=ROOT, capture_output=True, check=True)
    measured: dict[str, float] = json.loads(found.stdout)
    return measured


def _measure_here(bins: int, statistical: bool) -> dict[str, float]:
    import resource

    from taipan.inference import compile_model, fit
    from taipan.inference.result import describe_correlation
    from taipan.inference.size import measure_size
    from taipan.inference.yields import postfit_yields, prefit_yields

    unit = 1 if sys.platform == "darwin" else 1024  # bytes or KiB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workspace = make_large_workspace(bins, statistical)
    model = compile_model(workspace)
    data = model.asimov(model.nominal(1.0))
    best = fit(model, data)
    edges = {"r": [float(i) for i in range(bins + 1)]}
    yields = [prefit_yields(model, data, edges), postfit_yields(model, data, edges, best)]
    text = json.dumps([yields, describe_correlation(model, best)])
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert text
    return {
        "memory": (after - before) * unit / MIB,
        "estimate": measure_size(workspace).memory / MIB,
        "parameters": len(model.parameters.names),
        "sigma": float(best.sigma[model.poi]),
    }


def main() -> None:
    """Measure the numbers of bins of the command line."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--here"]:
        print(json.dumps(_measure_here(int(arguments[1]), arguments[2] == "1")))
        return
    for bins in map(int, arguments):
        for statistical in (False, True):
            found = measure_fit(bins, statistical)
            print(
                f"{bins} bins, {found['parameters']:.0f} parameters: {found['memory']:.0f} MiB, "
                f"estimate {found['estimate']:.0f} MiB"
            )


if __name__ == "__main__":
    main()
