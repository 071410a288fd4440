"""The larger simulation that pseudo-data are drawn from: a run within the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taipan.config.inner_run import load_inner, split_inner
from taipan.config.load import load_config, merge_files
from taipan.config.model import Config
from taipan.errors import TaipanError

_PATH = "coverage.simulation"
_OWN = ("catalogue", "data", "fastsim", "files", "seed", "skims")
"""Keys that decide which events there are."""


def split_larger(overrides: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Give the keys of the run whose simulation pseudo-data are drawn from.

    They are those of the run itself, with `coverage.simulation` over them. Its results lie in a
    folder ``larger`` of those of the run.

    Parameters
    ----------
    overrides
        ``config/config.yaml`` with the overlays merged over it.
    config
        The same, loaded.

    Returns
    -------
    dict
        What :func:`~taipan.config.load.load_config` takes; empty if pseudo-data are drawn from the
        events of the run itself.

    Raises
    ------
    TaipanError
        If a key does not decide which events there are.
    """
    own = config.coverage.simulation
    if not own or config.eras:
        return {}
    for key in own:
        if key not in _OWN:
            raise TaipanError(
                f"{_PATH}.{key}: the larger simulation has that of the run ({', '.join(_OWN)})"
            )
    return split_inner(overrides, config, own, "larger", "coverage simulation")


def load_larger(keys: Mapping[str, Any], root: Path) -> Config | None:
    """Load the configuration of the larger simulation; None if there is none.

    Parameters
    ----------
    keys
        Of :func:`split_larger`.
    root
        Folder that holds ``config/``.

    Raises
    ------
    TaipanError
        One line a problem, which says that it is one of the larger simulation.
    """
    return load_inner(keys, root, name_larger)


def name_larger(line: str) -> str:
    """Say of a problem of the larger simulation, with the path of its key, which key it is of."""
    return f"{_PATH}.{line}"


def read_larger(files: Sequence[Path | str], root: Path, /, **keys: Any) -> Config | None:
    """Read the configuration of the larger simulation from files; arguments as of `read_config`.

    Raises
    ------
    TaipanError
        As of :func:`split_larger`, :func:`load_larger` and :func:`~taipan.config.load.check_files`.
    """
    merged = merge_files(files, root, **keys)
    return load_larger(split_larger(merged, load_config(merged, root)), root)
