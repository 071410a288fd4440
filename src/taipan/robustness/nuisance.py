"""What a hidden attack would do to the result if it were a nuisance parameter.

It is a diagnostic. The workspace of the fit does not have it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.inference import compile_model
from taipan.inference.toys import fit_pseudo_data
from taipan.robustness.measure import MovedTemplates

Array = NDArray[np.float64]

NAME = "hidden_attack"


def compare_shifts(templates: Mapping[str, MovedTemplates]) -> dict[str, Any]:
    """Compare the shift of an attack with that of the systematics, per bin, all samples together.

    Parameters
    ----------
    templates
        Sample → its templates.

    Returns
    -------
    dict
        ``attack`` and ``systematics`` (of each source at 1 σ over all samples, in quadrature), both
        (b,) in events, and ``ratio`` R, 0 where the systematics move nothing.
    """
    attack = np.sum([item.attacked - item.nominal for item in templates.values()], axis=0)
    names = sorted({name for item in templates.values() for name in item.shifts})
    total = np.zeros(len(attack))
    for name in names:
        moved = [item.shifts[name] for item in templates.values() if name in item.shifts]
        total += np.sum(moved, axis=0) ** 2
    usual = np.sqrt(total)
    ratio = np.where(usual > 0, np.abs(attack) / np.where(usual > 0, usual, 1.0), 0.0)
    return {"attack": attack.tolist(), "systematics": usual.tolist(), "ratio": ratio.tolist()}


def add_attack(
    workspace: Mapping[str, Any], region: str, templates: Mapping[str, MovedTemplates]
) -> dict[str, Any]:
    """Add one parameter for the attack on all samples to a copy of a workspace.

    Parameters
    ----------
    workspace
        pyhf workspace; the bins of the channel `region` are those of the templates.
    region, templates
        Channel, and sample → its templates.
    """
    result: dict[str, Any] = copy.deepcopy(dict(workspace))
    for channel in result["channels"]:
        if channel["name"] != region:
            continue
        for sample in channel["samples"]:
            moved = templates.get(sample["name"])
            if moved is None:
                continue
            data = np.asarray(sample["data"], np.float64)
            change = np.clip(_relative_change(moved), -0.9, 0.9)
            sample["modifiers"].append(
                {
                    "name": NAME,
                    "type": "histosys",
                    "data": {
                        "hi_data": (data * (1.0 + change)).tolist(),
                        "lo_data": (data * (1.0 - change)).tolist(),
                    },
                }
            )
    return result


def measure_effect(
    workspace: Mapping[str, Any], region: str, templates: Mapping[str, MovedTemplates]
) -> dict[str, float]:
    """Fit Asimov data without and with a parameter for the attack.

    Returns
    -------
    dict
        ``sigma`` and ``sigma_with``: expected uncertainty of the parameter of interest; ``shift``:
        what the estimate moves by, in units of `sigma`, if the data are attacked and the model
        does not know.
    """
    plain = compile_model(dict(workspace))
    start = plain.nominal(float(plain.parameters.initial[plain.poi]))
    asimov = plain.asimov(start)
    attacked = asimov.copy()
    bins = plain.regions[region]
    added = np.zeros(len(asimov[bins]))
    for channel in workspace["channels"]:
        if channel["name"] == region:
            for sample in channel["samples"]:
                moved = templates.get(sample["name"])
                if moved is not None:
                    added = added + np.asarray(sample["data"]) * _relative_change(moved)
    attacked[bins] = np.maximum(asimov[bins] + added, 0.0)
    both = fit_pseudo_data(plain, np.array([asimov, attacked]), start)[0]
    sigma = float(both["sigma"][0])
    if not any(_relative_change(moved).any() for moved in templates.values()):
        return {"sigma": sigma, "sigma_with": sigma, "shift": 0.0}
    extended = compile_model(add_attack(workspace, region, templates))
    first = extended.nominal(float(extended.parameters.initial[extended.poi]))
    wider = fit_pseudo_data(extended, extended.asimov(first)[None, :], first)[0]
    return {
        "sigma": sigma,
        "sigma_with": float(wider["sigma"][0]),
        "shift": float((both["mu_hat"][1] - both["mu_hat"][0]) / sigma),
    }


def _relative_change(moved: MovedTemplates) -> Array:
    """Change of each bin over its content; none where it is not positive."""
    safe = np.where(moved.nominal > 0, moved.nominal, 1.0)
    return np.where(moved.nominal > 0, moved.attacked / safe - 1.0, 0.0)
