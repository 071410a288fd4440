"""Facts about sources that outlive a process, as Python's bytecode does.

To read all sources takes more than a second, and every job of a run asks for the version of its
code. The facts of a source never change, so they are kept with the hash of the source.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable
from dataclasses import astuple
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

from taipan import code_facts
from taipan.atomic import read_json, write_json
from taipan.checksums import file_digest
from taipan.code_facts import CodeFacts
from taipan.errors import TaipanError


class KnownFacts:
    """Facts of modules, which are read again only if the source of the module is another."""

    def __init__(self, store: Path | None) -> None:
        """Start from what an earlier process has saved in `store`, if it can be read."""
        self._store = store
        self._reader = file_digest(Path(code_facts.__file__))
        self._known = self._load()
        self._is_changed = False

    def _load(self) -> dict[str, tuple[str, CodeFacts]]:
        """Load hash and facts of each source; nothing if another reader has found them."""
        try:
            saved = read_json(self._store) if self._store and self._store.exists() else {}
            if saved.get("reader") == self._reader:
                return {name: _load_facts(*item) for name, item in saved["modules"].items()}
        except (TaipanError, AttributeError, KeyError, TypeError, ValueError):
            pass
        return {}

    def find(self, name: str, source: bytes, read: Callable[[], CodeFacts]) -> CodeFacts:
        """Facts of a module.

        Parameters
        ----------
        name
            Name of the module.
        source
            Content of its file.
        read
            Reads the facts, where they are not known.
        """
        digest = hashlib.sha256(source).hexdigest()
        known = self._known.get(name)
        if known is not None and known[0] == digest:
            return known[1]
        facts = read()
        self._known[name] = digest, facts
        self._is_changed = True
        return facts

    def save(self) -> None:
        """Save what was found; where that cannot be written, sources are read again next time."""
        if self._store is None or not self._is_changed:
            return
        modules = {name: [digest, *astuple(facts)] for name, (digest, facts) in self._known.items()}
        with contextlib.suppress(TaipanError, OSError):
            write_json(self._store, {"reader": self._reader, "modules": modules})
        self._is_changed = False


def _load_facts(digest: str, fingerprint: str, *lists: Any) -> tuple[str, CodeFacts]:
    return digest, CodeFacts(fingerprint, *map(tuple, lists))


def cache_beside(source: str) -> Path | None:
    """File where a process may keep what it knows of sources: with the bytecode of `source`.

    None where Python is told to leave no bytecode.
    """
    if sys.dont_write_bytecode:
        return None
    return Path(cache_from_source(source)).with_suffix(".json")
