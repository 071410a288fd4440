"""What the commands ``taipan import`` and ``taipan export`` do."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.checksums import file_digest
from taipan.errors import TaipanError
from taipan.exchange.card_model import CardModel
from taipan.exchange.card_workspace import build_workspace, factor_name
from taipan.exchange.certificate import certify_card
from taipan.exchange.fill_card import fill_card
from taipan.exchange.read_card import read_card
from taipan.exchange.translate_workspace import Translation, translate_workspace
from taipan.exchange.write_card import write_card
from taipan.scripting import configure_logging
from taipan.suggestions import nearest
from taipan.terminal import hide_numerical_warnings

CERTIFICATE = "certificate.json"


@dataclass(frozen=True)
class ImportOptions:
    """What ``taipan import`` is asked for; its ``--help`` says what each option means."""

    file: Path
    out: Path
    certificate: Path | None = None
    mass: str = "120"
    refit: bool | None = None
    seed: int = 1


def run_import(options: ImportOptions) -> None:
    """Run ``taipan import``.

    Raises
    ------
    TaipanError
        If the file is wrong, cannot be translated, or the two models differ; nothing is written.
    """
    _be_quiet()
    _refuse_folder(options.out)
    model = fill_card(read_card(options.file), options.mass)
    workspace = build_workspace(model)
    with hide_numerical_warnings():
        certificate = certify_card(model, workspace, refitted=options.refit, seed=options.seed)
    described = {
        "from": {
            "format": "combine",
            "file": options.file.name,
            "sha256": file_digest(options.file),
        },
        "to": {"format": "pyhf", "file": options.out.name},
        **certificate,
    }
    groups, notes = name_groups(model)
    described["not_mapped"] = [*described["not_mapped"], *notes]
    made = [options.out]
    write_json(options.out, workspace)
    if groups:
        made.append(options.out.with_suffix(".groups.json"))
        write_json(made[-1], groups)
    made.append(options.certificate or options.out.parent / CERTIFICATE)
    write_json(made[-1], described)
    print_certificate(described)
    for path in made:
        print(f"wrote {path}")


@dataclass(frozen=True)
class ExportOptions:
    """What ``taipan export`` is asked for; its ``--help`` says what each option means."""

    workspace: Path
    to: str
    out: Path
    certificate: Path | None = None
    measurement: str | None = None
    groups: Path | None = None
    refit: bool | None = None
    seed: int = 1


def run_export(options: ExportOptions) -> None:
    """Run ``taipan export``.

    Raises
    ------
    TaipanError
        If the workspace is wrong, cannot be translated, or the two models differ; nothing is
        written.
    """
    _be_quiet()
    if options.out.exists() and not options.out.is_dir():
        raise TaipanError(f"--out: {options.out} is not a folder")
    workspace = read_json(options.workspace)
    if not isinstance(workspace, dict) or "channels" not in workspace:
        raise TaipanError(f"{options.workspace}: not a pyhf workspace (no 'channels')")
    translation = translate_workspace(workspace, options.measurement)
    groups = _read_groups(options.groups, translation)
    with tempfile.TemporaryDirectory() as folder, hide_numerical_warnings():
        # what is certified is what was written, read again
        card, _ = write_card(translation, Path(folder), groups)
        certificate = certify_card(
            fill_card(read_card(card)),
            workspace,
            names=translation.names,
            units=translation.units,
            lonely=translation.lonely,
            measurement=options.measurement,
            refitted=options.refit,
            seed=options.seed,
        )
    made = list(write_card(translation, options.out, groups))
    described = {
        "from": {
            "format": "pyhf",
            "file": options.workspace.name,
            "sha256": file_digest(options.workspace),
        },
        "to": {"format": "combine", "file": made[0].name},
        **certificate,
        "renamed": dict(translation.names),
        "not_mapped": [*translation.notes, *certificate["not_mapped"]],
    }
    made.append(options.certificate or options.out / CERTIFICATE)
    write_json(made[-1], described)
    print_certificate(described)
    for path in made:
        print(f"wrote {path}")


def _read_groups(path: Path | None, translation: Translation) -> dict[str, list[str]]:
    if path is None:
        return {}
    named = read_json(path)
    if not isinstance(named, dict) or not all(isinstance(v, str) for v in named.values()):
        raise TaipanError(f"{path}: must map names of parameters to names of groups")
    known = {
        name for part in translation.parts for name in (*part.norms, *part.shapes, *part.factors)
    }
    found: dict[str, list[str]] = {}
    for name, group in named.items():
        card_name = translation.names.get(name, name)
        if card_name not in known:
            raise TaipanError(
                f"{path}: {name!r} is not a parameter that a group can hold{nearest(name, known)}"
            )
        found.setdefault("_".join(group.split()), []).append(card_name)
    return found


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


def print_certificate(certificate: Mapping[str, Any]) -> None:
    """Print what a certificate says, in a few lines."""
    agreement = certificate["agreement"]
    print(
        f"−ln L agrees at {agreement['points']} points to "
        f"{agreement['largest_relative_difference']:.1e} (at most {agreement['tolerance']:g})"
    )
    elsewhere = certificate.get("elsewhere")
    if elsewhere is not None and elsewhere["why"]:
        size = elsewhere["largest_difference"]
        print(f"elsewhere it differs by up to {'an infinity' if size is None else f'{size:.2g}'}:")
        for reason in elsewhere["why"]:
            print(f"  {reason}")
    for fit in certificate["fits"]:
        found = fit.get("failed") or f"{fit['mu_hat']:.4f} ± {fit['sigma']:.4f}"
        print(f"{fit['tool']}, {fit['model']}: {found}")
    for note in certificate["not_mapped"]:
        print(f"not mapped: {note}")


def _be_quiet() -> None:
    configure_logging()
    logging.getLogger("taipan").setLevel(logging.WARNING)


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise TaipanError(f"--out: {path} is a folder (a file)")
