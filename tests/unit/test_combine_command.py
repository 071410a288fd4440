"""``taipan combine`` and ``taipan combine-results``; the robust combination covers."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taipan.cli.main import main
from taipan.commands.combine import combine_results
from taipan.errors import TaipanError
from taipan.inference import FitError, compile_model, fit
from taipan.inference.combine import combine_workspaces
from taipan.inference.robust import combine_robustly, largest_distance
from tests.public_models import public_models

MODELS = public_models()


def write(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def two_runs(folder: Path) -> list[str]:
    """The same analysis twice; the second has renamed its systematic."""
    other = json.loads(json.dumps(MODELS["coupled_normsys"]).replace('"n"', '"scale"'))
    first = write(folder / "first.json", MODELS["coupled_normsys"])
    return [f"run1={first}", f"run2={write(folder / 'second.json', other)}"]


def test_command_writes_the_combined_workspace(tmp_path, capsys):
    out = tmp_path / "combined.json"
    arguments = ["combine", *two_runs(tmp_path), "--out", str(out)]
    assert main([*arguments, "--correlate", "energy=run1:n,run2:scale"]) == 0
    printed = capsys.readouterr().out
    assert "2 analyses, 4 regions, 8 bins, 2 parameters; common: mu, energy" in printed
    workspaces = [
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("first", "second")
    ]
    expected = combine_workspaces(
        dict(zip(("run1", "run2"), workspaces, strict=True)), {"energy": ["run1:n", "run2:scale"]}
    )
    assert json.loads(out.read_text()) == expected
    tied = compile_model(expected)
    assert set(tied.parameters.names) == {"mu", "energy"}
    assert main(arguments) == 0
    free = compile_model(json.loads(out.read_text()))
    assert set(free.parameters.names) == {"mu", "run1_n", "run2_scale"}
    alone = compile_model(MODELS["coupled_normsys"])
    best, single = fit(free, free.observed), fit(alone, alone.observed)
    assert best.values[free.poi] == pytest.approx(single.values[alone.poi], rel=1e-4)
    assert best.sigma[free.poi] == pytest.approx(single.sigma[alone.poi] / np.sqrt(2.0), rel=1e-4)
    assert main(["fit", str(out)]) == 0  # what the command is for


def test_a_bare_name_is_common_to_all(tmp_path, capsys):
    path = write(tmp_path / "w.json", MODELS["coupled_normsys"])
    arguments = ["combine", f"a={path}", f"b={path}", "--out", str(tmp_path / "out.json")]
    assert main([*arguments, "--correlate", "n", "--poi", "strength"]) == 0
    assert "2 parameters; common: strength, n" in capsys.readouterr().out
    assert set(compile_model(json.loads((tmp_path / "out.json").read_text())).parameters.names) == {
        "strength",
        "n",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a={a}"], "it takes two workspaces, not 1"),
        (["{a}", "b={a}"], "is not NAME=WORKSPACE.json"),
        (["a={a}", "a={a}"], "there are two analyses 'a'"),
        (["a={a}", "b={absent}"], "absent.json"),
        (["a={a}", "b={broken}"], "broken.json: region signal, sample bkg1: 2 bins"),
        (["a={a}", "b={list}"], "list.json: not a pyhf workspace (no 'channels')"),
        (["a={a}", "b={a}", "--correlate", "g=a:ghost"], "no parameter 'a:ghost'"),
        (["a={a}", "b={a}", "--correlate", "n=c:n"], "'c' is not one of a, b"),
        (["a={a}", "b={a}", "--correlate", "n=a:n,"], "'n=a:n,' is not COMMON=A:X,B:Y"),
        (["a={a}", "b={a}", "--correlate", "n", "--correlate", "n"], "'n' is given twice"),
        (["a={a}", "b={a}", "--correlate", "mu"], "'mu' is the parameter of interest"),
        (["a={a}", "b={lumi}", "--correlate", "x=a:n,b:lumi"], "pyhf refuses the workspace"),
        (["a={a}", "b={a}", "--correlate", "b_n=a:n"], "b_n of a common parameter"),
    ],
)  # fmt: skip
def test_wrong_combinations_are_named_and_leave_nothing(options, message, tmp_path, capsys):
    broken = copy.deepcopy(MODELS["coupled_normsys"])
    broken["channels"][0]["samples"][0]["data"] = [1.0]
    files = {"a": MODELS["coupled_normsys"], "broken": broken, "list": []}
    files["lumi"] = MODELS["histfactory_example"]
    paths = {name: write(tmp_path / f"{name}.json", content) for name, content in files.items()}
    paths["absent"] = str(tmp_path / "absent.json")
    out = tmp_path / "out.json"
    given = [option.format(**paths) for option in options]
    assert main(["combine", *given, "--out", str(out)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_prefixes_that_make_two_names_equal_are_refused():
    """``b_n`` of ``a`` and ``n`` of ``a_b`` became one parameter."""
    first = json.loads(json.dumps(MODELS["coupled_normsys"]).replace('"n"', '"b_n"'))
    with pytest.raises(FitError, match="'n' of 'a_b' would get the name a_b_n of 'b_n' of 'a'"):
        combine_workspaces({"a": first, "a_b": MODELS["coupled_normsys"]}, {})
    first["channels"][0]["name"] = first["observations"][0]["name"] = "b_signal"
    other = json.loads(json.dumps(MODELS["coupled_normsys"]).replace('"n"', '"m"'))
    with pytest.raises(FitError, match="region 'signal' of 'a_b' would get the name a_b_signal"):
        combine_workspaces({"a": first, "a_b": other}, {})


def test_results_of_unknown_correlation_are_combined(tmp_path, capsys):
    content = {
        "results": [
            {"name": "run 1", "values": [1.0], "covariance": [[1.0]], "expected": [0.0]},
            {"name": "run 2", "values": [2.0], "covariance": [[1.0]], "expected": [0.0]},
        ]
    }
    path, out = write(tmp_path / "results.json", content), tmp_path / "out.json"
    assert main(["combine-results", path, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["results"] == ["run 1", "run 2"]
    assert found["parameters"] == ["mu"]
    assert found["values"] == pytest.approx([1.5])
    assert found["naive"]["sigma"] == pytest.approx([np.sqrt(0.5)])
    # fully correlated, the average of two equal measurements is as uncertain as each of them
    assert found["factor"] == pytest.approx(2.0, abs=0.1)
    assert found["sigma"][0] == pytest.approx(np.sqrt(0.5 * found["factor"]))
    assert found["prediction"]["statistic"] == pytest.approx(0.9545, abs=1e-4)  # χ² = 4
    assert found["prediction"]["p_value"] == pytest.approx(1.0 - 0.9545**2, abs=1e-3)
    assert f"mu = 1.5 ± {found['sigma'][0]:.4g} (± 0.7071 if uncorrelated)" in printed
    assert "prediction: p = 0.0889" in printed


def test_results_may_measure_several_parameters():
    """One result has both parameters, the other their sum."""
    first = {"values": [1.0, 2.0], "covariance": [[1.0, 0.3], [0.3, 2.0]]}
    second = {"values": [4.0], "covariance": [[0.5]], "jacobian": [[1.0, 1.0]]}
    found = combine_results({"parameters": ["a", "b"], "results": [first, second]}, 3.0)
    slopes = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    weight = np.linalg.inv(np.array([[1.0, 0.3, 0.0], [0.3, 2.0, 0.0], [0.0, 0.0, 0.5]]))
    naive = np.linalg.inv(slopes.T @ weight @ slopes)
    np.testing.assert_allclose(found["naive"]["covariance"], naive)
    np.testing.assert_allclose(found["values"], naive @ slopes.T @ weight @ [1.0, 2.0, 4.0])
    np.testing.assert_allclose(found["covariance"], found["factor"] * naive)
    assert found["factor"] > 1.0
    alone = combine_results({"parameters": ["a", "b"], "results": [first]}, 3.0)
    assert alone["factor"] == 1.0  # nothing is unknown
    assert alone["covariance"] == pytest.approx(np.array(first["covariance"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "must be an object of 'results'"),
        ({"result": []}, "must be an object of 'results'"),
        ({"results": []}, "results: must be a list of results"),
        ({"results": [1]}, r"results\[0\]: must be an object"),
        ({"results": [{"values": [1.0]}]}, r"results\[0\]: 'covariance' is missing"),
        (
            {"results": [{"values": [1.0], "covariance": [[1.0]], "sigma": 1}]},
            "'sigma' is not a key",
        ),
        ({"results": [{"values": 1.0, "covariance": [[1.0]]}]}, r"results\[0\].values: 1.0 is not"),
        (
            {"results": [{"values": [1.0], "covariance": [[1.0, 0.0]]}]},
            r"covariance: .* is not an array of 1 × 1 numbers",
        ),
        (
            {"results": [{"values": [1.0, 2.0], "covariance": [[1.0, 0.5], [0.0, 1.0]]}]},
            "is not symmetric",
        ),
        ({"results": [{"values": [1.0], "covariance": [[-1.0]]}]}, "is not positive definite"),
        ({"results": [{"values": [1.0], "covariance": [[float("nan")]]}]}, "is not finite"),
        (
            {"parameters": ["a", "b"], "results": [{"values": [1.0], "covariance": [[1.0]]}]},
            "1 values of 2 parameters need a 'jacobian'",
        ),
        ({"parameters": ["a", "a"], "results": []}, "is not a list of different names"),
        (
            {
                "results": [
                    {"values": [1.0], "covariance": [[1.0]], "expected": [1.0]},
                    {"values": [1.0], "covariance": [[1.0]]},
                ]
            },
            r"results\[1\].expected: is in some results only",
        ),
    ],
)
def test_wrong_results_are_named(content, message):
    with pytest.raises(TaipanError, match=message):
        combine_results(content, 3.0)


def test_level_of_results_is_checked(tmp_path, capsys):
    path = write(tmp_path / "r.json", {"results": [{"values": [1.0], "covariance": [[1.0]]}]})
    assert main(["combine-results", path, "--level", "0"]) == 1
    assert "--level: 0.0 is not a number of standard deviations" in capsys.readouterr().err


RHOS = [0.0, 0.5, 0.9, 1.0]
N = 4000
# three standard errors of a coverage of 95 % from N draws
ALLOWED = 3.0 * np.sqrt(0.95 * 0.05 / N)


def draws_of(rho: float) -> np.ndarray:
    """Two results of three numbers each, equal numbers correlated by `rho`."""
    covariance = np.eye(6)
    covariance[:3, 3:] = covariance[3:, :3] = rho * np.eye(3)
    rng = np.random.default_rng(8)
    return rng.multivariate_normal(np.zeros(6), covariance, N, method="eigh")


@pytest.mark.parametrize("rho", RHOS)
def test_largest_distance_covers_whatever_the_correlation(rho):
    draws = draws_of(rho)
    blocks, nothing = [np.eye(3)] * 2, [np.zeros(3)] * 2
    inside = [largest_distance([d[:3], d[3:]], blocks, nothing)[1] > 0.05 for d in draws]
    assert np.mean(inside) > 0.95 - ALLOWED
    # the 95 % quantile of χ² with six degrees of freedom holds for uncorrelated results only
    naive = np.mean((draws**2).sum(axis=1) < 12.5916)
    if rho == 0.0:
        assert naive == pytest.approx(0.95, abs=ALLOWED)
    elif rho == 0.9:
        assert naive < 0.93
    else:
        assert naive < 0.95 + ALLOWED


@pytest.mark.parametrize("rho", RHOS)
def test_enlarged_intervals_cover_whatever_the_correlation(rho):
    values = draws_of(rho)[:, [0, 3]]
    robust = combine_robustly([v[:1] for v in values.T], [np.eye(1)] * 2)
    estimates = values.mean(axis=1)  # what the combination of two equal results is
    assert robust.values == pytest.approx([estimates[0]])
    for width, level in ((1.0, 0.6827), (1.95996, 0.95), (3.0, 0.9973)):
        error = np.sqrt(level * (1.0 - level) / N)
        covered = np.abs(estimates) < width * np.sqrt(robust.covariance[0, 0])
        assert covered.mean() > level - 3.0 * error
    naive = np.mean(np.abs(estimates) < 1.95996 * np.sqrt(robust.naive[0, 0]))
    assert bool(naive < 0.93) is (rho >= 0.5)
