"""A run within a run: its configuration is that of the run, with a few keys that are others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from taipan.config.load import load_config
from taipan.config.merging import merge
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.seeds import derive_seed

Rename = Callable[[str], str]
"""Gives a problem of a run within a run the path of the key in the configuration of the run."""


def split_inner(
    overrides: Mapping[str, Any], config: Config, own: Mapping[str, Any], folder: str, purpose: str
) -> dict[str, Any]:
    """Give the keys of a run within the run.

    They are those of the run, with its own over them. Its results lie in a folder of those of the
    run. Its seed follows from that of the run, unless it has one, so that no simulation makes the
    events of another. There is no further run within it.

    Parameters
    ----------
    overrides
        ``config/config.yaml`` with the overlays merged over it.
    config
        The same, loaded.
    own
        Keys that are others in the run within. Those of `training` are those of every network.
    folder
        Name of its folder in the results of the run.
    purpose
        Name of its seed.

    Returns
    -------
    dict
        What :func:`~taipan.config.load.load_config` takes.
    """
    training = own.get("training") or {}
    written = overrides.get("networks") or {}
    networks = {
        **written,
        **{name: _change(written.get(name), training) for name in config.networks},
    }
    rest = {key: value for key, value in own.items() if key != "training"}
    merged = merge(overrides, rest)
    return {
        **merged,
        "results": f"{config.results}/{config.analysis}/{folder}",
        "seed": own.get("seed", derive_seed(config.seed, purpose)),
        "training": _change(overrides.get("training"), training),
        "coverage": {**(merged.get("coverage") or {}), "simulation": None},
        **({"networks": networks} if networks else {}),
    }


def _change(training: Mapping[str, Any] | None, own: Mapping[str, Any]) -> dict[str, Any]:
    """Put keys over those of a network, which is not pre-trained."""
    return {**merge(training or {}, own), "pretrain": {"catalogue": None}}


def load_inner(keys: Mapping[str, Any], root: Path, rename: Rename) -> Config | None:
    """Load the configuration of a run within the run; None if there are no keys.

    Parameters
    ----------
    keys
        Of :func:`split_inner`.
    root
        Folder that holds ``config/``.
    rename
        Gives the problems the path of their keys.

    Raises
    ------
    TaipanError
        One line a problem.
    """
    if not keys:
        return None
    try:
        return load_config(keys, root)
    except TaipanError as error:
        raise TaipanError("\n".join(map(rename, str(error).splitlines()))) from error
