"""Correctionlib files for tests, written node by node."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Node = Any


def bins(name: str, edges: Sequence[float], content: Sequence[Node], flow: Node = "error") -> Node:
    return {
        "nodetype": "binning",
        "input": name,
        "edges": [float(edge) for edge in edges],
        "content": [float(item) if isinstance(item, int) else item for item in content],
        "flow": flow,
    }


def category(name: str, content: Mapping[Any, Node], default: Node = None) -> Node:
    node = {
        "nodetype": "category",
        "input": name,
        "content": [{"key": key, "value": value} for key, value in content.items()],
    }
    return node if default is None else {**node, "default": default}


def sides(nominal: float, up: float, down: float, name: str = "syst") -> Node:
    return category(name, {"nominal": nominal, "up": up, "down": down})


def formula(expression: str, *variables: str) -> Node:
    return {
        "nodetype": "formula",
        "expression": expression,
        "parser": "TFormula",
        "variables": list(variables),
    }


def write_file(path: Path, corrections: Mapping[str, tuple[Mapping[str, str], Node]]) -> str:
    """Write a file of name → (input → type, tree)."""
    content = {
        "schema_version": 2,
        "corrections": [
            {
                "name": name,
                "version": 1,
                "inputs": [{"name": key, "type": kind} for key, kind in inputs.items()],
                "output": {"name": "factor", "type": "real"},
                "data": tree,
            }
            for name, (inputs, tree) in corrections.items()
        ],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)
