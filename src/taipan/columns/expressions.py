"""Boolean and arithmetic expressions of event quantities, as written in the configuration.

An expression is parsed once into Python's syntax tree and evaluated on NumPy arrays by walking it;
only the node types below are accepted, so an expression can compute but never call, import or look
anything up. ``and``, ``or`` and ``not`` act element by element.
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.errors import TaipanError
from taipan.labels import LARGEST_CLASS

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {"abs": np.abs}
_ALLOWED = "numbers, names, + - * /, comparisons, and, or, not, abs(), parentheses"
_MAX_LENGTH = 2000


def encode_text(text: str) -> float:
    """Give the number that stands for a text, the name of a class: a checksum of it.

    It depends on no order, so that a cut ``nn_class == "ztt"`` means the same everywhere.
    """
    return float(zlib.crc32(text.encode()))


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    text
        The expression as written.
    names
        Quantities it needs, sorted.
    tree
        Its checked syntax tree.
    """

    text: str
    names: tuple[str, ...]
    tree: ast.expr

    @property
    def texts(self) -> tuple[str, ...]:
        """Texts in it: names of classes that `nn_class` is compared with."""
        constants = [node for node in ast.walk(self.tree) if isinstance(node, ast.Constant)]
        return tuple(node.value for node in constants if isinstance(node.value, str))

    def conjuncts(self) -> list[Expression]:
        """Give the parts that must all be true, each an expression of its own."""
        tree = self.tree
        terms = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else []
        return [parse_expression(ast.unparse(term)) for term in terms] or [self]

    def evaluate(self, quantities: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Evaluate on arrays.

        Parameters
        ----------
        quantities
            Name → array of shape (n,), for every name in `names`.

        Returns
        -------
        ndarray
            Shape (n,). A comparison with a missing value (NaN) is false, except ``!=``; where a
            quantity may be missing write ``jpt_1 > 30``, not ``not (jpt_1 <= 30)``.

        Raises
        ------
        TaipanError
            If a quantity is missing; names it.
        """
        missing = [name for name in self.names if name not in quantities]
        if missing:
            raise TaipanError(
                f"'{self.text}': '{missing[0]}' is not available ({', '.join(sorted(quantities))})"
            )
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(_evaluate(self.tree, quantities))


def parse_expression(text: str) -> Expression:
    """Parse and check an expression.

    Raises
    ------
    TaipanError
        If it is not valid syntax or uses anything but numbers, names, arithmetic, comparisons,
        ``and``/``or``/``not`` and ``abs``; quotes the part at fault.
    """
    if len(text) > _MAX_LENGTH:
        raise TaipanError(f"expression of {len(text)} characters; at most {_MAX_LENGTH} allowed")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        names: set[str] = set()
        _check(tree, text, names)
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        if isinstance(error, TaipanError):
            raise
        reason = error.msg if isinstance(error, SyntaxError) else "nested too deeply"
        raise TaipanError(f"'{text}' cannot be parsed: {reason}; allowed: {_ALLOWED}") from error
    return Expression(text, tuple(sorted(names)), tree)


def _check(node: ast.AST, text: str, names: set[str]) -> None:
    match node:
        case ast.Name(id=name):
            names.add(name)
        case ast.Constant(value=bool() | int() | float()):
            pass
        case ast.BinOp(op=op) if type(op) in _BINARY:
            _check(node.left, text, names)
            _check(node.right, text, names)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not()):
            _check(node.operand, text, names)
        case ast.BoolOp():
            for value in node.values:
                _check(value, text, names)
        case ast.Compare(
            left=ast.Name(id=name),
            ops=[ast.Eq() | ast.NotEq()],
            comparators=[ast.Constant(value=str())],
        ) if name == LARGEST_CLASS:
            names.add(name)
        case ast.Compare() if all(type(op) in _COMPARE for op in node.ops):
            for value in (node.left, *node.comparators):
                _check(value, text, names)
        case ast.Call(func=ast.Name(id=function), args=[argument], keywords=[]) if (
            function in _FUNCTIONS
        ):
            _check(argument, text, names)
        case _:
            part = ast.get_source_segment(text.strip(), node) or type(node).__name__
            raise TaipanError(f"'{text}': '{part}' is not allowed; allowed: {_ALLOWED}")


def _evaluate(node: ast.expr, quantities: Mapping[str, NDArray[Any]]) -> Any:
    match node:
        case ast.Name(id=name):
            return quantities[name]
        case ast.Constant(value=value):
            return encode_text(value) if isinstance(value, str) else value
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, quantities), _evaluate(right, quantities))
        case ast.UnaryOp(op=op, operand=operand):
            value = _evaluate(operand, quantities)
            if isinstance(op, ast.Not):
                return np.logical_not(value)
            return -value if isinstance(op, ast.USub) else value
        case ast.BoolOp(op=op, values=values):
            combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return combine.reduce([np.asarray(_evaluate(value, quantities)) for value in values])
        case ast.Compare(left=first, ops=ops, comparators=others):
            operands = [_evaluate(value, quantities) for value in (first, *others)]
            results = [
                np.asarray(_COMPARE[type(op)](operands[i], operands[i + 1]))
                for i, op in enumerate(ops)
            ]
            return np.logical_and.reduce(results)
        case ast.Call(func=ast.Name(id=function), args=[argument]):
            return _FUNCTIONS[function](_evaluate(argument, quantities))
    raise AssertionError(f"unchecked node {ast.dump(node)}")  # parse_expression admits no other


@dataclass(frozen=True)
class Interval:
    """Range of values that a conjunction leaves open to one term."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def disjoint(self, other: Interval) -> bool:
        """Tell whether no value lies in both ranges."""
        for below, above in ((self, other), (other, self)):
            if below.high < above.low:
                return True
            if below.high == above.low and (below.high_open or above.low_open):
                return True
        return False

    def within(self, other: Interval) -> bool:
        """Tell whether every value of this range lies in the other one."""
        low = self.low > other.low or (
            self.low == other.low and (self.low_open or not other.low_open)
        )
        high = self.high < other.high or (
            self.high == other.high and (self.high_open or not other.high_open)
        )
        return low and high


def provably_disjoint(first: Expression, second: Expression) -> bool:
    """Tell whether two cuts cannot both be true for one event.

    Both cuts are read as conjunctions of comparisons of a term with a number; they are disjoint if
    some term is confined to ranges without overlap, or if one denies a range (``not (x > 1 and
    x < 2)``) that the other implies. A false answer means "not proven".
    """
    left, right = _intervals(first.tree), _intervals(second.tree)
    apart = any(left[term].disjoint(right[term]) for term in left.keys() & right.keys())
    return apart or _denies(second.tree, left) or _denies(first.tree, right)


def _denies(tree: ast.expr, implied: Mapping[str, Interval]) -> bool:
    """Tell whether a cut has a term ``not (... and ...)`` of what these ranges imply."""
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return any(_denies(value, implied) for value in tree.values)
    if not (isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)):
        return False
    if not (isinstance(tree.operand, ast.BoolOp) and _is_read(tree.operand)):
        return False
    denied = _intervals(tree.operand)
    return bool(denied) and all(
        term in implied and implied[term].within(item) for term, item in denied.items()
    )


def certainly_shared(first: Expression, second: Expression) -> bool:
    """Tell whether two cuts are known to leave a common range open.

    That is so if nothing else is in them than comparisons of terms with numbers, all of which must
    hold, and none of them excludes the other cut. Whether an event is in that range is another
    question: where a term depends on others, there may be none.
    """
    known = _is_read(first.tree) and _is_read(second.tree)
    return known and not provably_disjoint(first, second)


def _is_read(tree: ast.expr) -> bool:
    """Tell whether the intervals of a cut are all that it says."""
    if isinstance(tree, ast.BoolOp):
        return isinstance(tree.op, ast.And) and all(_is_read(value) for value in tree.values)
    if not isinstance(tree, ast.Compare):
        return False
    operands = [tree.left, *tree.comparators]
    return all(
        not isinstance(op, ast.NotEq) and (_number(left) is None) != (_number(right) is None)
        for op, (left, right) in zip(tree.ops, itertools.pairwise(operands), strict=True)
    )


def _intervals(tree: ast.expr) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    terms = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    for term in terms:
        if isinstance(term, ast.BoolOp) and isinstance(term.op, ast.And):
            for key, interval in _intervals(term).items():
                found[key] = _intersect(found.get(key, Interval()), interval)
        elif isinstance(term, ast.Compare):
            operands = [term.left, *term.comparators]
            for i, op in enumerate(term.ops):
                _narrow(found, operands[i], op, operands[i + 1])
    return found


def _narrow(found: dict[str, Interval], left: ast.expr, op: ast.cmpop, right: ast.expr) -> None:
    mirrored: dict[type[ast.cmpop], type[ast.cmpop]] = {
        ast.Lt: ast.Gt,
        ast.LtE: ast.GtE,
        ast.Gt: ast.Lt,
        ast.GtE: ast.LtE,
        ast.Eq: ast.Eq,
    }
    kind = type(op)
    number = _number(right)
    if number is None:
        number, left = _number(left), right
        kind = mirrored.get(kind, kind)
    if number is None:
        return
    limits = {
        ast.Lt: Interval(high=number, high_open=True),
        ast.LtE: Interval(high=number),
        ast.Gt: Interval(low=number, low_open=True),
        ast.GtE: Interval(low=number),
        ast.Eq: Interval(low=number, high=number),
    }
    if kind in limits:
        key = ast.dump(left)
        found[key] = _intersect(found.get(key, Interval()), limits[kind])


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str):
        return encode_text(node.value) if isinstance(node.value, str) else float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _number(node.operand)
        return None if value is None else -value
    return None


def _intersect(a: Interval, b: Interval) -> Interval:
    low = max(a.low, b.low)
    high = min(a.high, b.high)
    return Interval(
        low,
        high,
        (a.low_open and a.low == low) or (b.low_open and b.low == low),
        (a.high_open and a.high == high) or (b.high_open and b.high == high),
    )
