"""Several networks side by side: what each expects and observes, and what a fresh judge sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.errors import TaipanError

GATE = "check_overtraining"


def compare_networks(
    scores: Mapping[str, str],
    fits: Sequence[Mapping[str, Any]],
    judgement: Mapping[str, Any] | None,
    gates: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Put what was found of each network together.

    Parameters
    ----------
    scores
        Network → observable that is its score.
    fits
        Results of :func:`taipan.inference.run_inference`, among them those of the scores.
    judgement
        Record of the rule ``check_decorrelation``; None if the networks are not judged.
    gates
        Name → verdict; ``check_overtraining/<network>`` is that of a network.

    Returns
    -------
    dict
        Network → ``observable``, ``fit`` (the whole result), ``overtraining`` (passed) and
        ``control``: region → area under the curve of a fresh adversary and ratio of data to
        simulation in the tails. Without a judgement `control` is empty.

    Raises
    ------
    TaipanError
        If the fit, the verdict or the judgement of a network is missing; names it.
    """
    by_observable = {fit["observable"]: fit for fit in fits}
    found = {}
    for network, observable in scores.items():
        if observable not in by_observable:
            raise TaipanError(f"networks.{network}: there is no fit of '{observable}'")
        gate = gates.get(f"{GATE}/{network}")
        if gate is None:
            raise TaipanError(f"networks.{network}: there is no verdict of {GATE}")
        found[network] = {
            "observable": observable,
            "fit": by_observable[observable],
            "overtraining": bool(gate["passed"]),
            "control": _judged(network, judgement),
        }
    return found


def _judged(network: str, judgement: Mapping[str, Any] | None) -> dict[str, Any]:
    if judgement is None:
        return {}
    if network not in judgement["networks"]:
        raise TaipanError(f"networks.{network}: it is not among those that were judged")
    return {
        region: {
            "adversary": _only(item["adversary"], ("auc", "sigma")),
            "tails": [
                _only(tail, ("efficiency", "ratio", "sigma")) for tail in item["tails"] or ()
            ],
        }
        for region, item in judgement["networks"][network]["regions"].items()
    }


def _only(found: Mapping[str, Any] | None, keys: Sequence[str]) -> dict[str, Any] | None:
    return None if found is None else {key: found[key] for key in keys}
