"""Memory of a fit: what is measured stays below the estimate, and what is too large is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from benchmarks.fit_memory import make_large_workspace, measure_fit

from taipan.inference import FitError, compile_model, fit
from taipan.inference.histfactory import Yields
from taipan.inference.size import GIB, LARGEST_MEMORY, check_fits, check_size, measure_size
from taipan.inference.yields import postfit_yields, prefit_yields
from tests.conftest import ROOT
from tests.made_up_models import make_workspace

# Largest memory of a process in KiB. getrusage would count that of the process it was forked from.
PEAK = """
def peak():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def test_memory_of_a_fit_stays_below_its_estimate():
    """600 bins took 400 MiB: each parameter was varied in one array of all bins and samples."""
    found = measure_fit(600, statistical=True)
    assert found["parameters"] == 606
    assert found["memory"] < 110.0
    assert found["memory"] < found["estimate"] + 50.0  # the compiled libraries grow a little


def test_covariance_of_the_bins_is_not_built():
    """6,000 bins with six parameters took 330 MiB more, for a matrix of bins by bins."""
    found = measure_fit(6000, statistical=False)
    assert found["parameters"] == 6
    assert found["memory"] < 150.0


def test_workspace_that_is_too_large_is_refused_with_the_limit(tmp_path):
    """20,000 bins with statistical uncertainties; refused before memory is taken."""
    path = tmp_path / "large.json"
    path.write_text(json.dumps(make_large_workspace(20_000, statistical=True)))
    code = f"""
from taipan.cli.main import main
status = main(["fit", {str(path)!r}])
{PEAK}
print(status, peak() // 1024)
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    status, peak = map(int, found.stdout.split())
    assert status == 1
    assert peak < 500
    (line,) = found.stderr.decode().splitlines()
    assert line.startswith(
        "taipan: error: workspace: 20000 bins, 3 samples, 12 modifiers and 20006"
    )
    assert "(at most 4 GiB, about 5100 parameters of one bin each)" in line


def test_fits_of_many_parameters_and_few_bins_are_done_in_small_groups():
    """150 toys of 301 parameters in two bins took 460 MiB: groups were made by yields alone."""
    code = """
import json
import numpy as np
from taipan.inference import compile_model, pseudo_experiments
norms = [
    {"name": f"n{k}", "type": "normsys", "data": {"hi": 1.0 + 0.001 * (k % 9 + 1), "lo": 0.995}}
    for k in range(300)
]
mu = {"name": "mu", "type": "normfactor", "data": None}
samples = [
    {"name": "s", "data": [30.0, 60.0], "modifiers": [mu, *norms]},
    {"name": "b", "data": [500.0, 400.0], "modifiers": norms},
]
settings = {"poi": "mu", "parameters": [{"name": "mu", "bounds": [[-10, 10]], "inits": [1.0]}]}
model = compile_model({
    "channels": [{"name": "r", "samples": samples}],
    "observations": [{"name": "r", "data": [530.0, 460.0]}],
    "measurements": [{"name": "m", "config": settings}],
    "version": "1.0.0",
})
before = peak()
found = pseudo_experiments(model, 1.0, 150, np.random.default_rng(1))
after = peak()
print(json.dumps([(after - before) / 1024, int(np.isfinite(found["mu_hat"]).sum())]))
"""
    code = f"{PEAK}\n{code}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    memory, fitted = json.loads(done.stdout)
    assert fitted == 150
    assert memory < 120.0


def test_size_of_a_workspace_is_counted():
    size = measure_size(make_workspace(norms=3, shapes=3, regions=2, bins=6, samples=3))
    assert (size.bins, size.samples, size.entries) == (12, 3, 36)
    # mu, three normsys, three pairs of normsys and histosys, a staterror for each region
    assert (size.modifiers, size.interpolated, size.parameters) == (12, 6, 1 + 6 + 12)
    check_size(make_large_workspace(5000, statistical=True))
    check_size(make_large_workspace(20_000, statistical=False))
    with pytest.raises(FitError, match="5600 bins"):
        check_size(make_large_workspace(5600, statistical=True))


def test_fits_that_fill_the_memory_are_refused():
    check_fits("--toys", 100_000, 1000)
    largest = LARGEST_MEMORY // 24 // 5000
    with pytest.raises(FitError, match=rf"--impacts: {largest + 1} fits .* 4 GiB, {largest} fits"):
        check_fits("--impacts", largest + 1, 5000)
    assert LARGEST_MEMORY == 4 * GIB


def test_blocks_of_parameters_give_the_same_derivatives(monkeypatch):
    """Derivatives by bins' parameters are taken in blocks; small models have one."""
    model = compile_model(make_workspace(norms=3, shapes=3, regions=2, bins=6, samples=3))
    values = model.parameters.initial + 0.1 * model.parameters.sigma
    whole = model.evaluate(values, model.observed)
    change = Yields.change_of_bins(model.yields, values, model.parameters.sigma)
    monkeypatch.setattr("taipan.inference.histfactory.BLOCK_NUMBERS", 100)
    assert len(model.yields._blocks(1)) > 4
    parts = model.evaluate(values, model.observed)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-9)
    again = Yields.change_of_bins(model.yields, values, model.parameters.sigma)
    np.testing.assert_allclose(again, change, rtol=1e-12)


def test_effect_of_a_parameter_is_that_of_its_variation():
    model = compile_model(make_workspace(norms=3, shapes=3, regions=2, bins=6, samples=3))
    nominal = model.nominal(1.0)
    steps = np.where(model.parameters.sigma > 0, model.parameters.sigma, 0.1)
    found = model.yields.change_of_bins(nominal, steps)
    base = model.expected(nominal)
    for i in range(len(nominal)):
        expected = 0.0
        for sign in (1.0, -1.0):
            shifted = nominal.copy()
            shifted[i] += sign * steps[i]
            expected = max(expected, float(np.abs(model.expected(shifted) / base - 1.0).max()))
        assert found[i] == pytest.approx(expected, rel=1e-9)


def test_uncertainty_of_yields_is_that_of_the_whole_covariance():
    model = compile_model(make_workspace(norms=3, shapes=3, regions=2, bins=6, samples=3))
    edges = {name: [float(i) for i in range(7)] for name in model.regions}
    best = fit(model, model.observed)
    for values, covariance, found in (
        (
            model.nominal(1.0),
            np.diag(model.parameters.sigma**2),
            prefit_yields(model, model.observed, edges),
        ),
        (best.values, best.covariance, postfit_yields(model, model.observed, edges, best)),
    ):
        jacobian = model.jacobian(values)
        full = jacobian @ covariance @ jacobian.T
        for region, bins in model.regions.items():
            sigma = np.sqrt(np.diag(full)[bins])
            assert found[region]["total_sigma"] == pytest.approx(sigma, rel=1e-9)
            assert found[region]["sum_sigma"] == pytest.approx(
                np.sqrt(full[bins, bins].sum()), rel=1e-9
            )
