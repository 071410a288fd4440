"""Tables of corrections, and values outside of them, against correctionlib itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import correctionlib
import numpy as np
import pytest

from taipan.corrections.dense import make_table
from taipan.corrections.files import open_correction_file
from taipan.corrections.ranges import settle
from tests.made_up_corrections import Node, bins, category, formula, sides, write_file

INPUTS = {"x": "real", "y": "real", "k": "int", "s": "string"}
FINE = np.linspace(0.0, 3.0, 31).tolist()


def numbers(rng: np.random.Generator, n: int) -> list[float]:
    return [float(x) for x in rng.normal(1.0, 0.1, n)]


def trees(rng: np.random.Generator) -> dict[str, tuple[Node, bool]]:
    """Name → tree, and whether it is a table."""
    many = {
        "nodetype": "multibinning",
        "inputs": ["x", "y"],
        "edges": [{"n": 3, "low": 0.0, "high": 3.0}, [0.0, 0.5, 2.0]],
        "content": numbers(rng, 6),
        "flow": "error",
    }
    keys = category("k", {key: bins("x", [0, 1, 3], numbers(rng, 2), "clamp") for key in (5, 0, 4)})
    return {
        "one": (bins("x", [0, 1, 2, 3], numbers(rng, 3)), True),
        "fine": (bins("x", FINE, numbers(rng, 30), 1.0), True),
        "two": (bins("y", [0, 1, 2], [bins("x", [0, 1, 3], numbers(rng, 2)) for _ in "ab"]), True),
        "many": (many, True),
        "keys": (keys, True),
        "texts": (bins("x", [0, 3], [sides(1.0, 1.1, 0.9, "s")]), True),
        "uneven": (
            bins("y", [0, 1, 2], [bins("x", [0, 3], [2.0]), bins("x", [0, 1, 3], [3.0, 4.0])]),
            False,
        ),
        "formula": (bins("x", [0, 3], [formula("1 + x * x", "x")]), False),
        "wrap": (bins("x", [0, 2], [7.0], "wrap"), False),
        "default": (category("k", {5: 1.5}, default=2.5), False),
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory: Any) -> str:
    made = trees(np.random.default_rng(3))
    file: Path = tmp_path_factory.mktemp("tables") / "t.json"
    return write_file(file, {name: (INPUTS, tree) for name, (tree, _) in made.items()})


def values(rng: np.random.Generator, n: int, low: float, high: float) -> dict[str, Any]:
    x = np.where(rng.random(n) < 0.2, rng.integers(0, 3, n), rng.uniform(low, high, n))
    return {"x": x, "y": rng.uniform(0.0, 2.0, n), "k": rng.choice([0, 4, 5], n).astype(float)}


@pytest.mark.parametrize("name", trees(np.random.default_rng(3)))
def test_table_has_the_numbers_of_correctionlib(path: str, name: str) -> None:
    """On edges, too; what is no table is left to correctionlib."""
    tree, is_table = trees(np.random.default_rng(3))[name]
    for text in ("nominal", "up"):
        table = make_table(tree, {"s": text})
        assert (table is not None) == is_table
        if table is None:
            continue
        given = values(np.random.default_rng(4), 500, 0.0, 2.999)
        expected = correctionlib.CorrectionSet.from_file(path)[name].evaluate(
            given["x"], given["y"], given["k"].astype(int), text
        )
        found = table.look_up(given, 500)
        np.testing.assert_allclose(found, expected, rtol=1e-15)  # its JSON reader rounds


def test_value_in_no_category_is_left_to_correctionlib(path: str) -> None:
    table = make_table(trees(np.random.default_rng(3))["keys"][0], {"s": "up"})
    assert table is not None
    given = {"x": np.array([1.0]), "y": np.array([1.0]), "k": np.array([3.0])}
    assert table.look_up(given, 1) is None


@pytest.mark.parametrize("name", ["one", "two", "many", "uneven", "formula", "texts"])
def test_outside_is_where_correctionlib_refuses(path: str, name: str) -> None:
    """One value at a time: it raises where, and only where, a value is told to be outside."""
    given = values(np.random.default_rng(6), 200, -2.0, 5.0)
    file = open_correction_file("k", path)
    inside, outside = settle(file.trees[name], given, {"s": "up"}, {})
    evaluate = file.evaluators[name].evaluate
    assert 40 < outside.sum() < 160
    for i in range(200):
        one = [float(given["x"][i]), float(given["y"][i]), int(given["k"][i]), "up"]
        if outside[i]:
            with pytest.raises((RuntimeError, IndexError)):
                evaluate(*one)
        else:
            evaluate(*one)
        evaluate(float(inside["x"][i]), *one[1:])
    np.testing.assert_array_equal(inside["x"][~outside], given["x"][~outside])


def test_wrapped_angles_are_never_outside(path: str) -> None:
    file = open_correction_file("k", path)
    given = {"x": np.array([-9.0, 1.0, 7.0]), "y": np.zeros(3), "k": np.zeros(3)}
    assert not settle(file.trees["wrap"], given, {"s": "up"}, {})[1].any()
