"""Files of the corrections in a bundle: those in the folder of the analysis, and others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan.config.model import Config
from taipan.config.slices import place_file


def divide_corrections(
    config: Config, values: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Divide corrections into those whose files lie in the analysis' folder, and others.

    Parameters
    ----------
    config
        The configuration.
    values
        Its section `corrections` as plain values; not changed.

    Returns
    -------
    inside, elsewhere
        The first name their files from the folder.
    """
    folder = Path(config.folder)
    inside: dict[str, dict[str, Any]] = {}
    elsewhere: dict[str, dict[str, Any]] = {}
    for name, keys in values.items():
        files = config.corrections[name].files
        if all(Path(path).is_relative_to(folder) for path in files.values()):
            inside[name] = keys
            for key, path in files.items():
                relative = Path(path).relative_to(folder).as_posix()
                inside[name] = place_file(inside[name], key, relative)
        else:
            elsewhere[name] = keys
    return inside, elsewhere
