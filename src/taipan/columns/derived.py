"""Quantities that a configuration makes of others: ``quantities: {st: "pt_1 + pt_2 + met"}``.

Most are expressions. An entry may also make several quantities; see :class:`QuantityGroup`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import Analysis, Quantity
from taipan.columns.expressions import Expression, parse_expression
from taipan.columns.quantity_group import QuantityGroup, compute_group, describe_group
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
    """Computes what an analysis does, and then expressions and groups of it, in order."""

    function: QuantityFunction
    entries: Mapping[str, Expression | QuantityGroup]

    def __call__(
        self, columns: Any, known: Mapping[str, Array] | None = None, *unchanged: frozenset[str]
    ) -> dict[str, Array]:
        arguments = () if known is None else (known, *unchanged)
        out = dict(self.function(columns, *arguments))
        for name, entry in self.entries.items():
            if isinstance(entry, QuantityGroup):
                out |= compute_group(name, entry, out, known or {})
            else:
                out[name] = np.asarray(entry.evaluate(out), np.float64)
        return out


def late_names(expressions: Mapping[str, str]) -> set[str]:
    """Name the quantities, given as texts, that need a score, themselves or through others."""
    found: set[str] = set()
    for name, text in expressions.items():
        used = parse_expression(text).names
        if any(is_score(part) or part in found for part in used):
            found.add(name)
    return found


def add_quantities(
    analysis: Analysis, definitions: Mapping[str, Derived | QuantityGroup]
) -> Analysis:
    """Return the analysis with further quantities; a shift changes them with what they are made of.

    Parameters
    ----------
    analysis
        Its quantities may be used.
    definitions
        Name → expression, of quantities of the analysis, of those before, and of scores
        (`nn_score`, `nn_score_CLASS`). What needs a score becomes one of `late` of the analysis.
        Or name → group, of quantities of the analysis and of those before.

    Raises
    ------
    TaipanError
        If a name is taken, or an expression is not valid or uses a quantity that does not exist.
    """
    if not definitions:
        return analysis
    known = dict(analysis.quantities)
    entries: dict[str, Expression | QuantityGroup] = {}
    late: dict[str, Expression] = {}
    for name, item in definitions.items():
        path = f"quantities.{name}"
        if name in known or name in late or is_score(name):
            raise TaipanError(f"{path}: the analysis has a quantity of this name (choose another)")
        if isinstance(item, QuantityGroup):
            known |= describe_group(name, item, known)
            entries[name] = item
            continue
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
        entries[name] = expression
    recompute = analysis.recompute and _Added(analysis.recompute, entries)
    compute = _Added(analysis.compute, entries)
    return replace(analysis, quantities=known, compute=compute, recompute=recompute, late=late)
