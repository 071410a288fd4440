"""Checks of quantities and of expressions of them."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from taipan.analysis import Analysis
from taipan.columns.expressions import parse_expression, provably_disjoint
from taipan.errors import TaipanError
from taipan.suggestions import unknown

Problems = Iterator[str]


def check_measured(path: str, name: str, analysis: Analysis) -> Problems:
    """Yield a line if a quantity is not known of every event, data included."""
    quantity = analysis.quantities.get(name)
    if quantity is not None and quantity.may_be_missing:
        yield f"{path}: '{name}' is missing for some events, which would be in no bin"
    else:
        yield from check_quantity(path, name, analysis)


def check_quantity(
    path: str, name: str, analysis: Analysis, also_allowed: Collection[str] = ()
) -> Problems:
    """Yield a line if a quantity does not exist, or cannot be computed where it is used."""
    quantity = analysis.quantities.get(name)
    if quantity is None:
        yield unknown(path, name, "quantity", [*also_allowed, *sorted(analysis.quantities)])
        return
    if quantity.simulation_only and not path.endswith(".select"):
        yield (
            f"{path}: '{name}' comes from the generator record, which data do not have; only "
            "samples.*.select and systematics.*.select may use it"
        )
    columns = {column.name for column in analysis.columns}
    missing = [column for column in quantity.requires if column not in columns]
    if missing:
        yield (
            f"{path}: '{name}' cannot be computed from the skim: it needs the column "
            f"'{missing[0]}' ({', '.join(sorted(columns))})"
        )


def check_expression(path: str, text: str, analysis: Analysis, *, late: bool = False) -> Problems:
    """Yield a line if a text is no condition, and one for each of its quantities that is wrong.

    `late`: what the classifiers make of events is known there, too.
    """
    try:
        expression = parse_expression(text)
    except TaipanError as error:
        yield f"{path}: {error}"
        return
    if not _is_condition(expression.tree):
        yield f"{path}: '{text}' is not a condition (compare it with a number)"
    for name in expression.names:
        if not (late and analysis.is_late(name)):
            yield from check_quantity(path, name, analysis)


def check_possible(path: str, text: str) -> Problems:
    """Yield a line if a cut is true for no event."""
    try:
        cut = parse_expression(text)
    except TaipanError:
        return  # reported where the expression stands
    if provably_disjoint(cut, cut):
        yield f"{path}: '{text}' is true for no event: it asks for a range without any value"


def _is_condition(tree: ast.expr) -> bool:
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.op, ast.Not)
    return isinstance(tree, ast.Compare | ast.BoolOp)
