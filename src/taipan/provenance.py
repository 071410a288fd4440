"""Where a result comes from: code version, configuration hash, seed, package versions."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import taipan
from taipan.errors import TaipanError

_PACKAGE = Path(taipan.__file__).parent
_LARGEST_HASHED = 256 * 1024**2
_RECORDED = (
    *("awkward", "hist", "keras", "numpy", "onnxruntime", "pyarrow", "pyhf", "scipy"),
    *("snakemake", "tensorflow", "uproot"),
)


def code_version(*modules: str) -> str:
    """Hash of modules and of every module of this package that they import.

    Comments, docstrings and layout do not count, so that mending a sentence re-runs nothing.

    Parameters
    ----------
    modules
        Dotted names, such as ``taipan.skim.run``.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    TaipanError
        If a module does not exist.
    """
    found: set[str] = set()
    pending = list(modules)
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        pending.extend(_imports(name))
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(f"{name}:{_fingerprint(name)};".encode())
    return digest.hexdigest()[:16]


def _file_of(name: str) -> Path | None:
    if name.split(".")[0] != "taipan":
        return _external_file(name)
    path = _PACKAGE.joinpath(*name.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _external_file(name: str) -> Path | None:
    """File of an analysis module that lives outside the package."""
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


@cache
def _tree(name: str) -> ast.Module:
    path = _file_of(name)
    if path is None:
        raise TaipanError(f"module '{name}' does not exist")
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _imports(name: str) -> tuple[str, ...]:
    """Modules that a module imports, anywhere in it: of this package, or beside it."""
    names: set[str] = set()
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = name.split(".")[: -node.level]
                base = ".".join([*parents, *([base] if base else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return tuple(sorted(item for item in names if _is_own(item, name)))


def _is_own(module: str, importer: str) -> bool:
    """Whether a module is of this package or lies in the folder of the one that imports it."""
    if module.split(".")[0] == "taipan":
        return _file_of(module) is not None
    if importer.split(".")[0] == "taipan":
        return False
    path, folder = _file_of(module), _file_of(importer)
    return path is not None and folder is not None and folder.parent in path.parents


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256(_dump_code(_tree(name)).encode()).hexdigest()


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _dump_code(node: ast.AST) -> str:
    """Dump of a tree without the string statements that only document."""
    parts = [type(node).__name__]
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            items = [item for item in value if not (isinstance(item, ast.stmt) and _is_text(item))]
        else:
            items = [value]
        dumped = (_dump_code(item) if isinstance(item, ast.AST) else repr(item) for item in items)
        parts.append(f"{name}=[{','.join(dumped)}]")
    return f"{parts[0]}({';'.join(parts[1:])})"


def package_versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on."""
    versions = {"taipan": taipan.__version__}
    for name in _RECORDED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions


def hash_content(content: Any) -> str:
    """Hash of a JSON-able object, sixteen hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hash_file(path: Path | str) -> str:
    """SHA-256 of a file, sixteen hexadecimal digits.

    Raises
    ------
    TaipanError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()[:16]
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error


def _identify(path: Path | str) -> str:
    """Hash of a file; its size where reading it again would cost more than the job."""
    size = Path(path).stat().st_size
    return hash_file(path) if size <= _LARGEST_HASHED else f"{size} bytes"


def describe(
    stage: str, parameters: Mapping[str, Any], inputs: Iterable[Path | str] = ()
) -> dict[str, Any]:
    """Provenance of an output.

    Parameters
    ----------
    stage
        Name of the rule.
    parameters
        What the rule was given (configuration slice, code version, seed).
    inputs
        Files it read; hashed, or their size above 256 MiB.

    Returns
    -------
    dict
        JSON-able and free of dates, so that equal runs give equal files.
    """
    return {
        "stage": stage,
        "parameters": hash_content(parameters),
        "code": parameters.get("code", ""),
        "seed": parameters.get("seed"),
        "inputs": {Path(path).name: _identify(path) for path in inputs},
        "packages": package_versions(),
    }
