"""Make the list of routine mutations, `benchmarks/mutations/routine.yaml`, with cosmic-ray.

    python -m venv /tmp/cosmic && /tmp/cosmic/bin/pip install cosmic-ray==8.7.0 pyyaml
    /tmp/cosmic/bin/python benchmarks/routine_mutations.py

Its operators (comparison, arithmetic, boolean, numbers) are applied to the functions below, one
place at a time. The list holds the smallest expression that each changes, in the form of the lists
that are written by hand, so `benchmarks/mutations.py` needs no cosmic-ray. Reasons why a mutation
is equivalent are kept from the list that is there.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "benchmarks" / "mutations" / "routine.yaml"
OPERATORS = {
    **{
        f"core/ReplaceComparisonOperator_{one}_{other}": f"{one} becomes {other}"
        for one, other in (
            *(("Gt", "Lt"), ("Lt", "Gt"), ("GtE", "Lt"), ("LtE", "Gt")),
            *(("Gt", "GtE"), ("LtE", "Lt"), ("Eq", "NotEq"), ("NotEq", "Eq")),
        )
    },
    **{
        f"core/ReplaceBinaryOperator_{one}_{other}": f"{one} becomes {other}"
        for one, other in (
            *(("Add", "Sub"), ("Sub", "Add"), ("Mul", "Div"), ("Div", "Mul"), ("Pow", "Mul")),
            *(("Mod", "Div"), ("BitAnd", "BitOr"), ("BitOr", "BitAnd")),
        )
    },
    "core/ReplaceUnaryOperator_Delete_USub": "minus is left out",
    "core/ReplaceUnaryOperator_Delete_Invert": "not is left out",
    "core/ReplaceUnaryOperator_Delete_Not": "not is left out",
    "core/ReplaceAndWithOr": "and becomes or",
    "core/ReplaceOrWithAnd": "or becomes and",
    "core/NumberReplacer": "a number is another",
}
KINEMATICS = "tests/unit/test_selection_by_hand.py tests/unit/test_shifted_score.py"
FUNCTIONS = {
    "src/taipan/kinematics.py": (
        KINEMATICS,
        ("delta_phi", "transverse_mass"),
    ),
    "src/taipan/events/weights.py": (
        "tests/unit/test_templates_by_hand.py tests/unit/test_scripts_by_hand.py",
        ("measure_vertex_weights", "weigh_events"),
    ),
    "src/taipan/events/load.py": (
        "tests/unit/test_templates_by_hand.py tests/unit/test_dropped_fold.py",
        ("select_fold", "divide_estimate"),
    ),
    "src/taipan/nn/data.py": (
        "tests/unit/test_training_events.py tests/unit/test_nn_data.py",
        ("split_folds",),
    ),
    "src/taipan/nn/conditions.py": (
        "tests/unit/test_conditions_by_hand.py",
        ("compare_values",),
    ),
    "src/taipan/metrics/weights.py": (
        "tests/unit/test_metrics_by_hand.py",
        ("weighted_mean",),
    ),
    "src/taipan/estimates/ratio.py": (
        "tests/unit/test_templates_by_hand.py",
        ("measure_transfer_factor",),
    ),
    "src/taipan/likelihood/repair.py": ("tests/unit/test_templates_by_hand.py", ("repair_values",)),
    "src/taipan/likelihood/table.py": (
        "tests/unit/test_likelihood.py tests/unit/test_treatment.py",
        ("make_variation",),
    ),
    "src/taipan/likelihood/treatment.py": (
        "tests/unit/test_templates_by_hand.py tests/unit/test_treatment.py",
        ("split_variation", "rate_size"),
    ),
    "src/taipan/inference/toy_limit.py": ("tests/unit/test_toy_limit.py", ("_cls", "_as_far")),
    "src/taipan/coverage/score.py": (
        "tests/unit/test_coverage_score.py",
        ("measure_coverage", "shrink"),
    ),
    "src/taipan/reproduce/compare.py": ("tests/unit/test_compare_numbers.py", ("_relative",)),
}


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Apply each operator at each place: what it does, and the tree of the result."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    for name, meaning in OPERATORS.items():
        occurrence = 0
        while True:
            code = mutate_code(source, get_operator(name)(), occurrence)
            if code is None:
                break
            occurrence += 1
            yield meaning, ast.parse(code)


def smallest_change(one: ast.AST, two: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """Give the smallest expressions in which two trees differ; None where they differ elsewhere."""
    if type(one) is not type(two) or isinstance(one, ast.JoinedStr):
        return None
    pairs = list(zip(_children(one), _children(two), strict=False))
    different = [pair for pair in pairs if ast.dump(pair[0]) != ast.dump(pair[1])]
    if len(different) == 1 and len(list(_children(one))) == len(list(_children(two))):
        found = smallest_change(*different[0])
        if found is not None:
            return found
        if all(isinstance(node, ast.expr) for node in different[0]):
            first, second = different[0]
            assert isinstance(first, ast.expr)
            assert isinstance(second, ast.expr)
            return first, second
    return None


def _children(node: ast.AST) -> Iterator[ast.AST]:
    return ast.iter_child_nodes(node)


def find_function(tree: ast.AST, name: str) -> ast.AST:
    """Find a definition by its qualified name."""
    for part in name.split("."):
        tree = next(n for n in ast.walk(tree) if getattr(n, "name", None) == part)
    return tree


def list_function(file: str, function: str) -> list[dict[str, Any]]:
    """List the mutations of a function."""
    source = (ROOT / file).read_text(encoding="utf-8")
    whole = find_function(ast.parse(source), function)
    text = ast.unparse(_without_texts(whole))
    original = ast.parse(text)
    found: list[dict[str, Any]] = []
    seen = set()
    for meaning, tree in mutants(text):
        change = smallest_change(original, tree)
        if change is None:
            continue
        find, put = (ast.unparse(node) for node in change)
        if "None" in put or (put.startswith("-") and meaning.startswith("a number")):
            continue  # an annotation; one other number is enough
        if meaning.startswith("a number") and float(put) < float(find):
            continue
        places = [n for n in ast.walk(whole) if ast.dump(n) == ast.dump(change[0])]
        numbers = [0] if len(places) == 1 else list(range(1, len(places) + 1))
        for which in numbers:
            if (find, put, which) in seen:
                continue
            seen.add((find, put, which))
            name = f"{function}: {meaning} ({len(found) + 1})"
            item = {"name": name, "function": function, "find": find, "put": put}
            found.append(item if which == 0 else {**item, "which": which})
    return found


def _without_texts(tree: ast.AST) -> ast.AST:
    """Take the docstring away, which no operator should read."""
    body = getattr(tree, "body", [])
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        tree.body = body[1:]  # type: ignore[attr-defined]
    return tree


def main() -> None:
    """Write the list."""
    reasons = {}
    if TARGET.exists():
        for group in yaml.safe_load(TARGET.read_text(encoding="utf-8")):
            for item in group["mutations"]:
                key = (group["file"], *(item[k] for k in ("function", "find", "put")))
                reasons[*key, item.get("which", 0)] = item.get("equivalent")
    groups = []
    for file, (tests, functions) in FUNCTIONS.items():
        mutations = [item for name in functions for item in list_function(file, name)]
        for item in mutations:
            key = (file, *(item[k] for k in ("function", "find", "put")), item.get("which", 0))
            if reasons.get(key):
                item["equivalent"] = reasons[key]
        groups.append({"file": file, "tests": tests, "mutations": mutations})
        print(f"{len(mutations):4d}  {file}")
    head = "# Made by benchmarks/routine_mutations.py; only `equivalent` is written by hand.\n"
    text = yaml.safe_dump(groups, sort_keys=False, allow_unicode=True, width=100)
    TARGET.write_text(head + text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
