"""What the command ``taipan import`` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.checksums import file_digest
from taipan.commands.conversion import CERTIFICATE, be_quiet, describe_file, print_conversion
from taipan.errors import TaipanError
from taipan.exchange.card_model import CardModel
from taipan.exchange.card_workspace import build_workspace, factor_name
from taipan.exchange.certificate import certify_card, certify_same
from taipan.exchange.density import workspace_density
from taipan.exchange.errors import ExchangeError
from taipan.exchange.fill_card import fill_card
from taipan.exchange.histfactory_xml import apply_patch, read_xml
from taipan.exchange.histogram_names import read_names
from taipan.exchange.histogram_workspace import read_histograms
from taipan.exchange.hs3_density import Hs3Density, hs3_names
from taipan.exchange.hs3_workspace import from_hs3
from taipan.exchange.read_card import read_card
from taipan.export.hs3 import to_hs3
from taipan.inference.read import numpy_backend, open_workspace
from taipan.terminal import hide_numerical_warnings


@dataclass(frozen=True)
class ImportOptions:
    """What ``taipan import`` is asked for; its ``--help`` says what each option means."""

    file: Path
    out: Path
    certificate: Path | None = None
    mass: str = "120"
    patch: str | None = None
    refit: bool | None = None
    seed: int = 1


@dataclass(frozen=True)
class Imported:
    """A workspace that was made of a file, its certificate, and groups of its parameters."""

    format: str
    workspace: Mapping[str, Any]
    certificate: Mapping[str, Any]
    groups: Mapping[str, str]


def run_import(options: ImportOptions) -> None:
    """Run ``taipan import``.

    Raises
    ------
    TaipanError
        If the file is wrong, cannot be translated, or the two models differ; nothing is written.
    """
    be_quiet()
    if options.out.is_dir():
        raise TaipanError(f"--out: {options.out} is a folder (a file)")
    with hide_numerical_warnings():
        found = _read(options)
    described = {
        "from": describe_file(found.format, options.file),
        "to": {"format": "pyhf", "file": options.out.name},
        **found.certificate,
    }
    made = [options.out]
    write_json(options.out, found.workspace)
    if found.groups:
        made.append(options.out.with_suffix(".groups.json"))
        write_json(made[-1], found.groups)
    made.append(options.certificate or options.out.parent / CERTIFICATE)
    write_json(made[-1], described)
    print_conversion(described, made)


def _read(options: ImportOptions) -> Imported:
    """Read a file by its ending: a card has any but those of the others."""
    suffix = options.file.suffix.lower()
    if options.patch is not None and suffix != ".json":
        raise TaipanError(f"--patch: {options.file} is not a pyhf workspace (.json)")
    if suffix in (".yaml", ".yml"):
        names = read_names(options.file)
        workspace, certificate = read_histograms(options.file.parent, names)
        return Imported("root", workspace, certificate, {})
    if suffix == ".xml":
        return _read_xml(options)
    if suffix == ".json":
        return _read_json(options)
    model = fill_card(read_card(options.file), options.mass)
    workspace = build_workspace(model)
    certificate = certify_card(model, workspace, refitted=options.refit, seed=options.seed)
    groups, notes = name_groups(model)
    not_mapped = [*certificate["not_mapped"], *notes]
    return Imported("combine", workspace, certificate | {"not_mapped": not_mapped}, groups)


def _read_json(options: ImportOptions) -> Imported:
    content = read_json(options.file)
    if not isinstance(content, dict):
        raise ExchangeError(f"{options.file}: neither HS3 nor a pyhf workspace (an object)")
    if "distributions" in content:
        workspace, names = from_hs3(options.file, content)
        density = workspace_density(workspace, names)
        certificate = certify_same(
            Hs3Density(content), density, workspace, refitted=options.refit, seed=options.seed
        )
        return Imported("hs3", workspace, certificate, {})
    if "channels" not in content:
        raise ExchangeError(f"{options.file}: neither HS3 nor a pyhf workspace (no 'channels')")
    if options.patch is None:
        raise TaipanError(
            f"{options.file} is a pyhf workspace already (--patch FILE:NAME changes it)"
        )
    file, colon, name = options.patch.rpartition(":")
    if not colon or not file or not name:
        raise TaipanError(f"--patch: {options.patch!r} is not FILE:NAME")
    workspace = apply_patch(Path(file), content, read_json(file), name)
    with numpy_backend():
        open_workspace(workspace)  # refuses what pyhf cannot read
    note = {"patch": {"file": Path(file).name, "sha256": file_digest(Path(file)), "name": name}}
    certificate = certify_patch(content, workspace) | note
    return Imported("pyhf", workspace, certificate, {})


def certify_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Certify a patch: pyhf has compared the digest of the workspace with that of the set."""
    return {
        "agreement": {"what": "digest of the workspace, and that of the patch set"},
        "regions": {
            "before": [channel["name"] for channel in before["channels"]],
            "after": [channel["name"] for channel in after["channels"]],
        },
        "not_mapped": [],
        "fits": [],
    }


def _read_xml(options: ImportOptions) -> Imported:
    workspace = read_xml(options.file)
    document = to_hs3(workspace)
    names = hs3_names(workspace)
    certificate = certify_same(
        Hs3Density(document),
        workspace_density(workspace, names),
        workspace,
        refitted=options.refit,
        seed=options.seed,
    )
    return Imported("histfactory", workspace, certificate, {})


def name_groups(model: CardModel) -> tuple[dict[str, str], list[str]]:
    """Give the group of each parameter, as ``taipan fit --groups`` reads it, and what is lost."""
    found: dict[str, str] = {}
    notes = []
    for group, members in model.groups.items():
        for member in members:
            name = factor_name(model, member)
            if found.setdefault(name, group) != group:
                notes.append(f"{member} is also in group {group}: here it is in {found[name]} only")
    return found, notes
