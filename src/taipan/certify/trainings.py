"""How far a result moves when its networks are trained again with other seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from taipan.atomic import read_json
from taipan.certify.lines import Line, judge, lack
from taipan.errors import TaipanError

_FEWEST = 5
_LARGEST_SPREAD = 0.03
"""Of the expected σ, relative: networks that lose more were not trained to the end."""
_LARGEST_MOVE = 0.25
"""Standard deviation of the estimate between trainings, in units of its expected σ."""
_NAME = "same result with other seeds"
_LINK = "certificate.md"
_SAME = ("analysis", "catalogue", "observable", "poi", "luminosity")


def judge_trainings(summary: Mapping[str, Any], others: Sequence[Path]) -> list[Line]:
    """Give the lines about trainings with other seeds.

    Parameters
    ----------
    summary
        Content of the ``summary.json`` that is certified.
    others
        Folders of results of the same analysis that differ in the seeds of the training.

    Raises
    ------
    TaipanError
        If one is of another analysis or catalogue, or is listed twice, or if there are fewer than
        five in all.
    """
    if not summary.get("networks") and not summary["gates"]:
        return []
    if not others:
        reason = "give results with other seeds: taipan certify RESULTS --trainings FOLDER..."
        return [lack(_NAME, _LINK, reason)]
    if len({path.resolve() for path in others}) < len(others):
        raise TaipanError("--trainings: a folder is listed twice; each counts as a training")
    found = [summary, *(_read_other(summary, path) for path in others)]
    if len(found) < _FEWEST:
        raise TaipanError(
            f"--trainings: {len(found)} results with the one that is certified; at least {_FEWEST} "
            "are needed"
        )
    sigma = np.array([item["expected"]["sigma"] for item in found])
    spread = float(sigma.std(ddof=1) / sigma.mean())
    lines = [
        judge(
            f"{_NAME}: expected σ",
            f"spread {100 * spread:.1f} % of {len(found)} trainings",
            f"≤ {100 * _LARGEST_SPREAD:g} %",
            passed=spread <= _LARGEST_SPREAD,
            link=_LINK,
            reason="train the mean of several seeds: `training.seeds`",
        )
    ]
    if all(item["observed"] is not None for item in found):
        estimates = np.array([item["observed"]["mu_hat"] for item in found])
        move = float(estimates.std(ddof=1) / sigma.mean())
        lines.append(
            judge(
                f"{_NAME}: the estimate",
                f"moves by {move:.2f} σ",
                f"≤ {_LARGEST_MOVE:g} σ",
                passed=move <= _LARGEST_MOVE,
                link=_LINK,
                reason="training noise is no bias, but half of it is luck: use `training.seeds`",
            )
        )
    return lines


def _read_other(summary: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    other: dict[str, Any] = read_json(folder / "summary.json")
    for key in _SAME:
        if other.get(key) != summary[key]:
            raise TaipanError(
                f"{folder / 'summary.json'}: {key} is {other.get(key)!r}, that of the certified "
                f"result is {summary[key]!r}"
            )
    return other
