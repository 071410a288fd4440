"""Samples that are unfolded: one for each bin of a quantity of the generator, and one for the rest.

`fit.unfolding: {ZMM: {quantity: gen_pt, edges: [0, 10, 20]}}` makes the samples `ZMM_bin0`,
`ZMM_bin1` and `ZMM_outside` out of `ZMM`, before anything else reads the configuration. What names
`ZMM` in a list, such as the systematics, then names all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

OUTSIDE = "_outside"
"""Ending of the sample of the events that no truth bin holds."""
STRENGTH = "mu_"
"""Beginning of the parameter of a truth bin: what was found over what is predicted."""
_PALEST = 0.75
"""Share of white in the colour of the events outside; that of the bins grows from 0 to it."""


def name_bins(sample: str, number: int) -> list[str]:
    """Name the samples of the truth bins."""
    return [f"{sample}_bin{i}" for i in range(number)]


def name_strengths(sample: str, number: int) -> list[str]:
    """Name the parameters of the truth bins."""
    return [f"{STRENGTH}{name}" for name in name_bins(sample, number)]


def expand_truth_bins(content: Mapping[str, Any]) -> dict[str, Any]:
    """Divide the samples that `fit.unfolding` names.

    Parameters
    ----------
    content
        Plain values of a configuration, perhaps not valid; what is not understood is left to the
        validation.

    Returns
    -------
    dict
        The same with more samples and parameters of interest.
    """
    expanded = dict(content)
    fit = content.get("fit")
    wanted = fit.get("unfolding") if isinstance(fit, Mapping) else None
    for sample, settings in (wanted if isinstance(wanted, Mapping) else {}).items():
        samples = expanded.get("samples")
        given = samples.get(sample) if isinstance(samples, Mapping) else None
        if isinstance(given, Mapping) and isinstance(settings, Mapping):
            parts = _divide(str(sample), given, settings)
            if parts:
                expanded = _replace(expanded, str(sample), parts)
    return expanded


def _divide(
    sample: str, given: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Give the parts of a sample."""
    quantity, edges = settings.get("quantity"), settings.get("edges")
    if not isinstance(quantity, str) or not isinstance(edges, Sequence) or isinstance(edges, str):
        return {}
    if len(edges) < 2 or not all(isinstance(edge, int | float) for edge in edges):
        return {}
    cut = given.get("select")
    before = f"({cut}) and " if cut else ""
    label = given.get("label") or sample
    unit = f" {settings['unit']}" if settings.get("unit") else ""
    parts = {}
    for i, name in enumerate(name_bins(sample, len(edges) - 1)):
        low, high = float(edges[i]), float(edges[i + 1])
        inside = f"{quantity} >= {low:.12g} and {quantity} < {high:.12g}"
        parts[name] = {
            **given,
            **_lighten(given, _PALEST * i / (len(edges) - 1)),
            "label": f"{label}, {low:g} to {high:g}{unit}",
            "role": "signal",
            "select": before + inside,
        }
    first, last = float(edges[0]), float(edges[-1])
    parts[f"{sample}{OUTSIDE}"] = {
        **given,
        **_lighten(given, _PALEST),
        "label": f"{label}, outside",
        "role": "background",
        # a missing quantity is in no bin, so it is outside
        "select": f"{before}not ({quantity} >= {first:.12g} and {quantity} < {last:.12g})",
    }
    return parts


def _lighten(given: Mapping[str, Any], share: float) -> dict[str, str]:
    """Mix the colour of a sample with white; nothing where it has none, or one that is wrong."""
    colour = given.get("colour")
    if not isinstance(colour, str) or not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        return {}
    mixed = (round((1.0 - share) * part + 255.0 * share) for part in bytes.fromhex(colour[1:]))
    return {"colour": "#" + bytes(mixed).hex()}


def _replace(
    content: Mapping[str, Any], sample: str, parts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Put the parts in the place of the sample, everywhere."""
    samples = {
        name: item
        for old, settings in content["samples"].items()
        for name, item in (parts.items() if old == sample else [(old, settings)])
    }
    fit = dict(content["fit"])
    bins = [name for name in parts if not name.endswith(OUTSIDE)]
    interests = {
        name: {"samples": [part]}
        for name, part in zip(name_strengths(sample, len(bins)), bins, strict=True)
    }
    known = fit.get("parameters_of_interest")
    fit["parameters_of_interest"] = {**(known if isinstance(known, Mapping) else {}), **interests}
    free = fit.get("free_normalisations")
    if isinstance(free, Mapping):
        fit["free_normalisations"] = {
            name: _in_lists([item] if item == sample else item, sample, list(parts))
            for name, item in free.items()
        }
    changed = {**content, "samples": samples, "fit": fit}
    for section in ("systematics", "corrections"):
        entries = content.get(section)
        if isinstance(entries, Mapping):
            changed[section] = {
                name: _in_lists(item, sample, list(parts))
                if isinstance(item, Mapping) and "samples" in item
                else item
                for name, item in entries.items()
            }
    return changed


def _in_lists(value: Any, sample: str, parts: list[str]) -> Any:
    """Replace a name in a list, or in the key `samples` of a mapping."""
    if isinstance(value, Mapping):
        return {**value, "samples": _in_lists(value.get("samples"), sample, parts)}
    if not isinstance(value, list):
        return value
    return [name for item in value for name in (parts if item == sample else [item])]
