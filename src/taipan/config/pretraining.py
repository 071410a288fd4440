"""Pre-training on another catalogue: the configuration of its events, which is a run of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taipan.config.inner_run import load_inner, split_inner
from taipan.config.load import load_config, merge_files
from taipan.config.model import Config
from taipan.config.networks import list_trainings
from taipan.config.sections.pretraining import Pretrain
from taipan.errors import TaipanError

_COMMON = (
    *("analysis", "features", "categorical", "classes", "quantities"),
    *("networks", "eras", "results", "remote", "tuning", "classifier", "coverage"),
)
"""Keys that the networks have in common, or that say nothing in the pre-training."""


def find_pretraining(config: Config) -> tuple[str, Pretrain] | None:
    """Find the pre-training of the networks: path of its keys, and what they say.

    Parameters
    ----------
    config
        Sections `features`, `training` and `networks`.

    Raises
    ------
    TaipanError
        If two networks are pre-trained on other events.
    """
    found: tuple[str, Pretrain] | None = None
    for name, training in list_trainings(config).items():
        path = f"networks.{name}.pretrain" if name else "training.pretrain"
        own = training.pretrain
        if not own.enabled:
            continue
        if found is None:
            found = (path, own)
        for key in ("catalogue", "overrides"):
            mine, theirs = getattr(own, key), getattr(found[1], key)
            if mine != theirs:
                raise TaipanError(
                    f"{path}.{key}: {mine!r} differs from {found[0]}.{key} ({theirs!r}); all "
                    "networks of a run are pre-trained on the same events"
                )
    return found


def split_source(overrides: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Give the keys of the run that the networks are pre-trained in.

    They are those of the run itself, with `training.pretrain.overrides` over them. Its results lie
    in a folder ``pretraining`` of those of the run.

    Parameters
    ----------
    overrides
        ``config/config.yaml`` with the overlays merged over it.
    root
        Folder that holds ``config/``.

    Returns
    -------
    dict
        What :func:`~taipan.config.load.load_config` takes; empty if nothing is pre-trained.

    Raises
    ------
    TaipanError
        If a key is not valid, or is one that the pre-training cannot have for itself.
    """
    if overrides.get("eras"):
        return {}
    config = load_config(overrides, root)
    found = find_pretraining(config)
    if found is None:
        return {}
    path, pretrain = found
    for key in _COMMON:
        if key in pretrain.overrides:
            raise TaipanError(
                f"{path}.overrides.{key}: the pre-training has that of the run; write it there"
            )
    if "pretrain" in (pretrain.overrides.get("training") or {}):
        raise TaipanError(f"{path}.overrides.training.pretrain: a pre-training has none before it")
    own = {**pretrain.overrides, "catalogue": pretrain.catalogue}
    return split_inner(overrides, config, own, "pretraining", "pretraining")


def load_source(keys: Mapping[str, Any], root: Path) -> Config | None:
    """Load the configuration of the pre-training; None if there is none.

    Parameters
    ----------
    keys
        Of :func:`split_source`.
    root
        Folder that holds ``config/``.

    Raises
    ------
    TaipanError
        One line a problem, which says that it is one of the pre-training.
    """
    path = "training.pretrain"  # or that of a network, which has the same overrides
    return load_inner(keys, root, lambda line: name_problem(path, line))


def name_problem(path: str, line: str) -> str:
    """Say of a problem of the run that networks are pre-trained in which key it is of.

    Parameters
    ----------
    path
        Path of the keys of the pre-training.
    line
        The problem, with the path of the key in that run in front.
    """
    return f"{path}.{line}" if line.startswith("catalogue:") else f"{path}.overrides.{line}"


def read_source(files: Sequence[Path | str], root: Path, /, **keys: Any) -> Config | None:
    """Read the configuration of the pre-training from files; arguments as of `read_config`.

    Raises
    ------
    TaipanError
        As of :func:`split_source`, :func:`load_source` and :func:`~taipan.config.load.check_files`.
    """
    return load_source(split_source(merge_files(files, root, **keys), root), root)
