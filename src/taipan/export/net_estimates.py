"""Which samples of a workspace are subtracted for an estimate from data.

A likelihood needs both parts of an estimate: data of a side region are counts, and what other
processes put there changes with their parameters. A reader of a table wants their sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any


def find_subtractions(workspace: Mapping[str, Any]) -> dict[str, str]:
    """Find what is subtracted, such as ``{"top_side": "multijet"}``.

    Yields of a subtracted sample are below zero. Its name begins with that of its process, and it
    has the parameters of this, and those of the estimate. So a parameter that its process has not
    leads to the estimate.

    Parameters
    ----------
    workspace
        pyhf workspace.

    Returns
    -------
    dict
        Sample → estimate, for samples of which exactly one estimate is found.
    """
    totals: dict[str, float] = defaultdict(float)
    modifiers: dict[str, set[str]] = defaultdict(set)
    for channel in workspace["channels"]:
        for sample in channel["samples"]:
            totals[sample["name"]] += sum(sample["data"])
            modifiers[sample["name"]] |= {item["name"] for item in sample["modifiers"]}
    found = {}
    for name in (name for name, total in totals.items() if total < 0.0):
        estimates = set(_list_estimates(name, totals, modifiers))
        if len(estimates) == 1:
            found[name] = estimates.pop()
    return found


def _list_estimates(
    name: str, totals: Mapping[str, float], modifiers: Mapping[str, set[str]]
) -> Iterator[str]:
    processes = [other for other in totals if name.startswith(f"{other}_")]
    if not processes:
        return
    own = modifiers[name] - modifiers[max(processes, key=len)]
    for other, total in totals.items():
        if total > 0.0 and other not in processes and own & modifiers[other]:
            yield other
