"""The choice of λ: the smallest expected uncertainty, its own residual included."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from taipan.errors import TaipanError


def choose_strength(
    points: Sequence[Mapping[str, Any]], region: str, efficiency: float
) -> dict[str, Any]:
    """Compare the points of a scan.

    Chosen is the λ with the smallest mean over the seeds of σ(μ) with the control residual. λ that
    differ from it by less than the standard error of the difference of the means are as good.

    Parameters
    ----------
    points
        Of :func:`~taipan.adversary_scan.point.measure_point`: the same seeds for each λ.
    region
        Control region of the adversary.
    efficiency
        Signal efficiency of the working point whose tail is compared.

    Returns
    -------
    dict
        ``chosen``, ``as_good`` (list of λ), ``region``, ``efficiency`` and ``strengths``: a list
        with ``strength``, ``seeds`` and, of each of ``sigma_mu``, ``sigma_mu_without_residual``,
        ``auc``, ``tail_ratio`` and ``adversary_auc``, ``mean``, ``spread`` (standard deviation
        over the seeds) and ``values``.

    Raises
    ------
    TaipanError
        If there is no point, or a λ has other seeds than the rest.
    """
    by_strength: dict[float, list[Mapping[str, Any]]] = {}
    for point in sorted(points, key=lambda item: (item["strength"], item["seed"])):
        by_strength.setdefault(float(point["strength"]), []).append(point)
    if not by_strength:
        raise TaipanError("adversary_scan.values: the scan has no points")
    seeds = [item["seed"] for item in next(iter(by_strength.values()))]
    rows: list[dict[str, Any]] = []
    for strength, found in by_strength.items():
        if [item["seed"] for item in found] != seeds:
            raise TaipanError(
                f"adversary_scan: λ = {strength:g} has the seeds "
                f"{[item['seed'] for item in found]}, others {seeds}"
            )
        columns = [_numbers(item, region, efficiency) for item in found]
        summary = {key: _summarise([item[key] for item in columns]) for key in columns[0]}
        rows.append({"strength": strength, "seeds": seeds, **summary})
    best = min(rows, key=lambda row: float(row["sigma_mu"]["mean"]))
    return {
        "chosen": best["strength"],
        "as_good": [row["strength"] for row in rows if _is_as_good(row, best, len(seeds))],
        "region": region,
        "efficiency": efficiency,
        "strengths": rows,
    }


def _numbers(point: Mapping[str, Any], region: str, efficiency: float) -> dict[str, float | None]:
    judged = point["judge"]["regions"][region]
    tails = [item for item in judged["tails"] or () if item["efficiency"] == efficiency]
    adversary = judged["adversary"]
    return {
        "sigma_mu": point["sigma_mu"]["total"],
        "sigma_mu_without_residual": point["sigma_mu"]["without_residual"],
        "auc": point["auc"],
        "tail_ratio": tails[0]["ratio"] if tails else None,
        "adversary_auc": None if adversary is None else adversary["auc"],
    }


def _summarise(values: Sequence[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else None
    mean = float(np.mean(known)) if known else None
    return {"mean": mean, "spread": spread, "values": list(values)}


def _is_as_good(row: Mapping[str, Any], best: Mapping[str, Any], seeds: int) -> bool:
    difference = row["sigma_mu"]["mean"] - best["sigma_mu"]["mean"]
    spreads = [item["sigma_mu"]["spread"] or 0.0 for item in (row, best)]
    return bool(difference <= math.hypot(*spreads) / math.sqrt(seeds))
