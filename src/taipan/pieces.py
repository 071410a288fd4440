"""Finished pieces of a long job, each a whole file, from which a killed job goes on."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.errors import TaipanError

logger = logging.getLogger(__name__)


class Pieces:
    """A folder with a JSON file for each finished piece.

    Parameters
    ----------
    folder
        The folder; None keeps nothing.
    identity
        What the pieces are made of (:func:`identify`). Those of another identity are made anew.
    """

    def __init__(self, folder: Path | None, identity: str) -> None:
        self._folder = folder
        self._identity = identity

    def make(self, name: str, make: Callable[[], Any]) -> Any:
        """Give a piece: from its file if it is there, else made and kept.

        Parameters
        ----------
        name
            Name of the file, without suffix.
        make
            Makes the piece, which JSON can hold.
        """
        if self._folder is None:
            return make()
        path = self._folder / f"{name}.json"
        kept = self._read(path)
        if kept is not None:
            logger.info("%s was finished before", name)
            return kept["piece"]
        piece = make()
        write_json(path, {"identity": self._identity, "piece": piece})
        return piece

    def remove(self) -> None:
        """Remove the folder, when the job has written its results."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, path: Path) -> Any:
        if not path.exists():
            return None
        try:
            found = read_json(path)
        except TaipanError as error:
            logger.warning("%s cannot be used (%s): it is made anew", path, error)
            return None
        same = isinstance(found, dict) and found.get("identity") == self._identity
        return found if same and "piece" in found else None


def identify(settings: Any, files: Iterable[Path | str]) -> str:
    """Hash what pieces are made of.

    Parameters
    ----------
    settings
        What JSON can hold: seeds, settings, version of the code.
    files
        Files that are read.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        with Path(path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
