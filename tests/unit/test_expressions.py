"""Expressions of event quantities: values, what is refused, and which cuts are proven disjoint."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taipan.columns.expressions import parse_expression, provably_disjoint
from taipan.errors import TaipanError


@pytest.fixture
def events():
    quantities = {
        "q_1": np.array([1, -1, 1, -1]),
        "q_2": np.array([-1, 1, 1, -1]),
        "mt_1": np.array([10.0, 29.9, 30.0, 80.0]),
        "jpt_1": np.array([np.nan, 45.0, 20.0, np.nan]),
    }
    for values in quantities.values():
        values.flags.writeable = False
    return quantities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q_1 * q_2 < 0", [True, True, False, False]),
        ("q_1 * q_2 < 0 and mt_1 < 29.9", [True, False, False, False]),
        ("mt_1 < 20 or mt_1 > 70", [True, False, False, True]),
        ("not mt_1 < 30", [False, False, True, True]),
        ("20 < mt_1 <= 30", [False, True, True, False]),
        ("abs(q_1 - q_2) == 2", [True, True, False, False]),
        ("-mt_1 / 10 + 1 >= 0", [True, False, False, False]),
        ("jpt_1 > 30", [False, True, False, False]),
        ("jpt_1 < 30", [False, False, True, False]),
    ],
)
def test_value_of_each_event(events, text, expected):
    assert parse_expression(text).evaluate(events).tolist() == expected


def test_arithmetic_value(events):
    value = parse_expression("(mt_1 - 10) / 2 * -1 + 3").evaluate(events)
    np.testing.assert_allclose(value, [3.0, -6.95, -7.0, -32.0])


def test_names_are_those_needed_sorted():
    assert parse_expression("mt_1 < 30 and abs(eta_1) < mt_1").names == ("eta_1", "mt_1")


def test_missing_quantity_is_named(events):
    with pytest.raises(TaipanError, match=r"'mt_2' is not available \(jpt_1, mt_1, q_1, q_2\)"):
        parse_expression("mt_2 < 30").evaluate(events)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("__import__('os').system('true')", "__import__"),
        ("mt_1.sum() > 3", "mt_1.sum()"),
        ("mt_1[0] > 3", "mt_1[0]"),
        ("exp(mt_1) > 3", "exp(mt_1)"),
        ("abs(mt_1, 2) > 3", "abs(mt_1, 2)"),
        ("mt_1 < 30 & q_1 > 0", "30 & q_1"),
        ("mt_1 ** 99999 > 3", "mt_1 ** 99999"),
        ("[x for x in mt_1]", "[x for x in mt_1]"),
        ("(lambda: 1)()", "(lambda: 1)()"),
        ("'text' == mt_1", "'text'"),
        ("mt_1 in (1, 2)", "mt_1 in (1, 2)"),
        ("mt_1 if q_1 else 1", "mt_1 if q_1 else 1"),
    ],
)
def test_anything_but_arithmetic_is_refused_and_quoted(text, part):
    with pytest.raises(TaipanError) as error:
        parse_expression(text)
    assert f"'{part}" in str(error.value)
    assert "allowed: numbers, names" in str(error.value)


@pytest.mark.parametrize("text", ["", "mt_1 <", "mt_1 < 30)", "mt_1 < 30; 1", "a = 3"])
def test_bad_syntax_is_refused(text):
    with pytest.raises(TaipanError, match="cannot be parsed"):
        parse_expression(text)


def test_very_long_and_very_deep_expressions_are_refused():
    with pytest.raises(TaipanError, match="at most 2000"):
        parse_expression("1+" * 1000 + "1")
    with pytest.raises(TaipanError, match="cannot be parsed"):
        parse_expression("(" * 900 + "mt_1" + ")" * 900)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("mt_1 < 30", "mt_1 > 70", True),
        ("mt_1 < 30", "mt_1 >= 30", True),
        ("mt_1 <= 30", "mt_1 >= 30", False),
        ("mt_1 < 30", "mt_1 > 20", False),
        ("q_1 * q_2 < 0 and mt_1 < 30", "q_1 * q_2 > 0 and mt_1 < 30", True),
        ("q_1 * q_2 < 0", "q_2 * q_1 > 0", False),  # not proven: terms are compared as written
        ("30 > mt_1", "70 < mt_1", True),
        ("0 < mt_1 < 30", "30 < mt_1 < 70", True),
        ("gen_match == 0", "gen_match == 1", True),
        ("gen_match == 0", "gen_match != 0", False),  # not proven
        ("mt_1 < 30 or iso_1 > 1", "mt_1 > 70", False),
        ("not mt_1 < 30", "mt_1 < 30", False),  # not proven
        ("mt_1 < -1", "mt_1 > -1", True),
        ("(mt_1 < 30 and iso_1 < 1) and q_1 > 0", "iso_1 > 1", True),
        ("mt_1 < 30", "iso_1 > 1", False),
    ],
)
def test_disjointness(first, second, expected):
    a, b = parse_expression(first), parse_expression(second)
    assert provably_disjoint(a, b) is expected
    assert provably_disjoint(b, a) is expected


_comparisons = st.builds(
    "{} {} {}".format,
    st.sampled_from(["x", "y", "x * y"]),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.integers(-2, 2),
)
_cuts = st.lists(_comparisons, min_size=1, max_size=3).map(" and ".join) | st.lists(
    _comparisons, min_size=1, max_size=2
).map(" or ".join)


@given(first=_cuts, second=_cuts)
def test_cuts_proven_disjoint_share_no_event(first, second):
    a, b = parse_expression(first), parse_expression(second)
    if provably_disjoint(a, b):
        grid = np.linspace(-3, 3, 25)
        x, y = (values.ravel() for values in np.meshgrid(grid, grid))
        both = a.evaluate({"x": x, "y": y}) & b.evaluate({"x": x, "y": y})
        assert not both.any()
