"""The check that results are those of one finished run: every file as it was written, and whence.

The record of a file holds its checksum and the checksums of the files it was made from. Followed
from the summary to the first files, they show whether anything was changed, or made again
without what comes after it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taipan.atomic import read_json
from taipan.checksums import file_digest, record_path, verify_files
from taipan.errors import TaipanError
from taipan.summary.collect import hash_result

_REMEDY = "run again before you bundle"
_SHA256 = 64  # digits; of large files, only a part is known, under another name
_KEYS = {"rule": str, "wildcards": dict, "parameters": str, "inputs": dict, "packages": dict}


@dataclass
class _Walk:
    """Files that were verified, with their origins, and digests of the data that were read."""

    root: Path
    results: Path
    analysis: str
    origins: dict[Path, Mapping[str, Any]] = field(default_factory=dict)
    data: dict[Path, str] = field(default_factory=dict)

    def visit(self, first: Path) -> None:
        """Verify a file and all that it was made from."""
        pending = [first]
        while pending:
            path = pending.pop()
            if path in self.origins:
                continue
            self.origins[path] = origin = _verified_origin(path)
            for name, digest in origin["inputs"].items():
                source = self._locate(name)
                if not self._is_ours(source):
                    self._compare_data(path, source, digest)
                    continue
                self._compare(path, source, digest)
                pending.append(source)

    def _locate(self, name: str) -> Path:
        """Find an input; results may have been moved since it was recorded."""
        parts = Path(name).parts
        moved = [self.results.joinpath(*parts[i:]) for i in range(1, len(parts))]
        of_analysis = [p for part, p in zip(parts[1:], moved, strict=True) if part == self.analysis]
        places = [path for path in moved if path.exists()] or of_analysis or [self.root / name]
        return places[0]

    def _is_ours(self, path: Path) -> bool:
        return self.results in path.parents or record_path(path).exists()

    def _compare_data(self, path: Path, source: Path, digest: str | None) -> None:
        """Compare input of the run, which may lie elsewhere by now or be too large to read."""
        if digest is None or len(digest) != _SHA256 or not source.is_file():
            return
        if source not in self.data:
            self.data[source] = file_digest(source)
        if self.data[source] != digest:
            raise TaipanError(f"{path} was made from another {source}; {_REMEDY}")

    @staticmethod
    def _compare(path: Path, source: Path, digest: str | None) -> None:
        if not source.exists():
            raise TaipanError(f"{source} is missing, from which {path} was made; {_REMEDY}")
        if digest is None:
            raise TaipanError(
                f"{path} was made from {source} when that had no checksum record; delete {path} "
                f"and {_REMEDY}"
            )
        if verify_files([source]).get(str(source)) not in (digest, None):
            raise TaipanError(
                f"{path} was made from another {source} than the one that is there; {_REMEDY}"
            )


def verify_run(
    results: Path, root: Path, finals: Sequence[str], others: Sequence[str] = ()
) -> list[str]:
    """Check that results belong together and are as they were written.

    Parameters
    ----------
    results
        Folder of the analysis in its results.
    root
        Folder from which the paths in the records count.
    finals
        Files in `results` that a complete run ends with; the first is the summary.
    others
        Further files in `results`.

    Returns
    -------
    list of str
        Those of `others` that belong to the run: something of it was made from them, or they were
        made by one of its jobs.

    Raises
    ------
    TaipanError
        If a file is missing, differs from its record, has no record or one without origin, was made
        from another file than the one that is there, by another job than the files beside it, or
        with other packages or code; names it.
    """
    walk = _Walk(root, results.parent, results.name)
    for name in finals:
        walk.visit(results / name)
    jobs = {_job(origin) for origin in walk.origins.values()}
    for name in others:
        if _job(_verified_origin(results / name)) in jobs:
            walk.visit(results / name)
    summary = read_json(results / finals[0])
    _check_summary(results / finals[0], summary)
    _check_jobs(walk.origins, summary["provenance"]["packages"])
    return [name for name in others if results / name in walk.origins]


def _verified_origin(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise TaipanError(f"{path} is missing: the run is not finished; {_REMEDY}")
    if str(path) not in verify_files([path]):
        raise TaipanError(
            f"{path} has no checksum record ({record_path(path)}), so nobody knows whether it is "
            f"as it was written; delete it and {_REMEDY}"
        )
    origin = read_json(record_path(path)).get("origin")
    stated = origin if isinstance(origin, dict) else {}
    wrong = [key for key, kind in _KEYS.items() if not isinstance(stated.get(key), kind)]
    if wrong:
        raise TaipanError(
            f"{record_path(path)} does not say where {path.name} comes from ({wrong[0]} is "
            f"missing); delete {path} and {_REMEDY}"
        )
    return stated


def _check_summary(path: Path, summary: Mapping[str, Any]) -> None:
    found = hash_result(summary)
    if found != summary.get("result_sha256"):
        raise TaipanError(
            f"{path}: result_sha256 is {summary.get('result_sha256')}, that of its content is "
            f"{found}; delete it and {_REMEDY}"
        )


def _job(origin: Mapping[str, Any]) -> str:
    return json.dumps([origin["rule"], origin["wildcards"]], sort_keys=True)


def _check_jobs(origins: Mapping[Path, Mapping[str, Any]], packages: Mapping[str, str]) -> None:
    """Check that what one job makes has one origin, and that a rule had one code."""
    jobs: dict[str, tuple[Path, Mapping[str, Any]]] = {}
    rules: dict[str, tuple[Path, Any]] = {}
    for path, origin in sorted(origins.items()):
        rule = origin["rule"]
        first, other = jobs.setdefault(_job(origin), (path, origin))
        if other != origin:
            raise TaipanError(
                f"{path} and {first} are of one job ({rule}) but do not come from the same run of "
                f"it; delete both and {_REMEDY}"
            )
        first, code = rules.setdefault(rule, (path, origin.get("code")))
        if code != origin.get("code"):
            raise TaipanError(
                f"{path} and {first} were made by different code of the rule {rule}; delete both "
                f"and {_REMEDY}"
            )
        for name, version in origin["packages"].items():
            if packages.get(name, version) != version:
                raise TaipanError(
                    f"{path} was made with {name} {version}, the summary with {packages[name]}; "
                    f"delete it and {_REMEDY}"
                )
