"""Quantities that are expressions of others: ``quantities: {st: "pt_1 + pt_2 + met"}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Quantity
from taipan.columns.expressions import Expression, parse_expression
from taipan.errors import TaipanError
from taipan.labels import is_score
from taipan.suggestions import unknown

Array = NDArray[Any]
QuantityFunction = Callable[..., dict[str, Array]]


class Derived(Protocol):
    """An expression, the unit of its value (empty if it has none) and what it is."""

    expression: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class _Added:
    """Computes what an analysis does, and then expressions of it."""

    function: QuantityFunction
    expressions: Mapping[str, Expression]

    def __call__(self, *arguments: Any) -> dict[str, Array]:
        out = dict(self.function(*arguments))
        for name, expression in self.expressions.items():
            out[name] = np.asarray(expression.evaluate(out), np.float64)
        return out


def late_names(expressions: Mapping[str, str]) -> set[str]:
    """Name the quantities, given as texts, that need a score, themselves or through others."""
    found: set[str] = set()
    for name, text in expressions.items():
        used = parse_expression(text).names
        if any(is_score(part) or part in found for part in used):
            found.add(name)
    return found


def add_quantities(analysis: Analysis, definitions: Mapping[str, Derived]) -> Analysis:
    """Return the analysis with further quantities; a shift changes them with what they are made of.

    Parameters
    ----------
    analysis
        Its quantities may be used.
    definitions
        Name → expression, of quantities of the analysis, of those before, and of scores
        (`nn_score`, `nn_score_CLASS`). What needs a score becomes one of `late` of the analysis.

    Raises
    ------
    TaipanError
        If a name is taken, or an expression is not valid or uses a quantity that does not exist.
    """
    if not definitions:
        return analysis
    known = dict(analysis.quantities)
    expressions: dict[str, Expression] = {}
    late: dict[str, Expression] = {}
    for name, item in definitions.items():
        path = f"quantities.{name}"
        if name in known or name in late or is_score(name):
            raise TaipanError(f"{path}: the analysis has a quantity of this name (choose another)")
        try:
            expression = parse_expression(item.expression)
        except TaipanError as error:
            raise TaipanError(f"{path}: {error}") from None
        if any(is_score(used) or used in late for used in expression.names):
            late[name] = expression
        for used in expression.names:
            if used not in known and used not in late and not is_score(used):
                raise TaipanError(unknown(path, used, "quantity", known))
            if name in late and used in known and known[used].simulation_only:
                raise TaipanError(f"{path}: '{used}' is of simulation only, a score is of all")
        if name in late:
            continue
        parts = [known[used] for used in expression.names]
        known[name] = Quantity(
            *(name, item.unit, item.meaning or item.expression),
            tuple(dict.fromkeys(column for part in parts for column in part.requires)),
            may_be_missing=any(part.may_be_missing for part in parts),
            simulation_only=any(part.simulation_only for part in parts),
        )
        expressions[name] = expression
    recompute = analysis.recompute and _Added(analysis.recompute, expressions)
    compute = _Added(analysis.compute, expressions)
    return replace(analysis, quantities=known, compute=compute, recompute=recompute, late=late)
