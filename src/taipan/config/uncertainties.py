"""The uncertainties of the corrections, which become systematics like any other."""

from __future__ import annotations

from typing import Any

from taipan.config.model import Config
from taipan.corrections.base import NominalCorrection
from taipan.errors import TaipanError
from taipan.systematics.base import Systematic
from taipan.systematics.registry import make_systematic

_SINGULAR = {"samples": "sample", "regions": "region"}


def add_uncertainties(config: Config) -> Config:
    """Give each correction with an uncertainty a systematic of its name.

    So filling, smoothing, pruning, the fit, pseudo-data and figures treat it as they treat others.

    Raises
    ------
    TaipanError
        If the name is taken by another systematic, or one is written that only a correction makes.
    """
    made = {
        name: make_uncertainty(name, correction, config)
        for name, correction in config.corrections.items()
        if correction.sides
    }
    problems = [
        f"systematics.{name}: the name is taken by the uncertainty of corrections.{name}"
        for name, item in made.items()
        if config.systematics.get(name, item) != item
    ]
    problems += [
        f"systematics.{name}.kind: '{item.kind}' is made of the section `corrections`; write "
        f"corrections.{name} with `up` and `down`"
        for name, item in config.systematics.items()
        if item.made_of_correction and name not in made
    ]
    if problems:
        raise TaipanError("\n".join(problems))
    return config.model_copy(update={"systematics": {**config.systematics, **made}})


def make_uncertainty(name: str, correction: NominalCorrection, config: Config) -> Systematic:
    """Make the systematic of a correction with an uncertainty."""
    simulated = [key for key, sample in config.samples.items() if sample.is_simulated]
    over = correction.decorrelate
    listed = [over] if isinstance(over, str) else over
    keys: dict[str, Any] = {
        "kind": "corrected_objects" if correction.of_objects else "corrected_weight",
        "correction": name,
        "mirrored": len(correction.sides) == 1,
        "samples": correction.samples or simulated,
        "regions": correction.regions,
        "decorrelate": [_SINGULAR.get(key, key) for key in listed],
    }
    shared = ("group", "smooth", "prune", "source")
    return make_systematic(**keys, **{key: getattr(correction, key) for key in shared})
