"""What the command ``taipan export`` does."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.commands.conversion import CERTIFICATE, be_quiet, describe_file, print_conversion
from taipan.errors import TaipanError
from taipan.exchange.certificate import certify_card, certify_same, certify_templates
from taipan.exchange.density import workspace_density
from taipan.exchange.fill_card import fill_card
from taipan.exchange.histogram_names import read_names
from taipan.exchange.histogram_workspace import read_histograms
from taipan.exchange.hs3_density import Hs3Density, hs3_names
from taipan.exchange.read_card import read_card
from taipan.exchange.translate_workspace import Translation, translate_workspace
from taipan.exchange.write_card import write_card
from taipan.exchange.write_templates import fitted_templates, list_templates, write_templates
from taipan.export.hs3 import to_hs3
from taipan.suggestions import nearest
from taipan.terminal import hide_numerical_warnings

HS3 = "hs3.json"


@dataclass(frozen=True)
class ExportOptions:
    """What ``taipan export`` is asked for; its ``--help`` says what each option means."""

    workspace: Path
    to: str
    out: Path
    certificate: Path | None = None
    measurement: str | None = None
    groups: Path | None = None
    fitted: bool = False
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
    be_quiet()
    if options.out.exists() and not options.out.is_dir():
        raise TaipanError(f"--out: {options.out} is not a folder")
    if options.groups is not None and options.to != "combine":
        raise TaipanError(f"--groups: {options.to} has no groups (combine)")
    if options.fitted and options.to != "root":
        raise TaipanError(f"--fitted: {options.to} has no templates (root)")
    workspace = read_json(options.workspace)
    if not isinstance(workspace, dict) or "channels" not in workspace:
        raise TaipanError(f"{options.workspace}: not a pyhf workspace (no 'channels')")
    export = {"combine": _to_combine, "root": _to_root, "hs3": _to_hs3}[options.to]
    with hide_numerical_warnings():
        made, certificate = export(workspace, options)
    described = {
        "from": describe_file("pyhf", options.workspace),
        "to": {"format": options.to, "file": made[0].name},
        **certificate,
    }
    made.append(options.certificate or options.out / CERTIFICATE)
    write_json(made[-1], described)
    print_conversion(described, made)


def _to_combine(
    workspace: Mapping[str, Any], options: ExportOptions
) -> tuple[list[Path], dict[str, Any]]:
    translation = translate_workspace(workspace, options.measurement)
    groups = _read_groups(options.groups, translation)
    with tempfile.TemporaryDirectory() as folder:
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
    certificate |= {
        "renamed": dict(translation.names),
        "not_mapped": [*translation.notes, *certificate["not_mapped"]],
    }
    return list(write_card(translation, options.out, groups)), certificate


def _to_root(
    workspace: Mapping[str, Any], options: ExportOptions
) -> tuple[list[Path], dict[str, Any]]:
    histograms, names, notes = list_templates(workspace, options.measurement)
    with tempfile.TemporaryDirectory() as folder:
        _, path = write_templates(Path(folder), histograms, names)
        again, _ = read_histograms(path.parent, read_names(path))
    certificate = certify_templates(workspace, again, notes)
    if options.fitted:
        histograms |= fitted_templates(workspace, options.measurement)
    return list(write_templates(options.out, histograms, names)), certificate


def _to_hs3(
    workspace: Mapping[str, Any], options: ExportOptions
) -> tuple[list[Path], dict[str, Any]]:
    document = to_hs3(workspace, options.measurement)
    density = workspace_density(
        workspace, hs3_names(workspace, options.measurement), measurement=options.measurement
    )
    certificate = certify_same(
        Hs3Density(document), density, workspace, refitted=options.refit, seed=options.seed
    )
    write_json(options.out / HS3, document)
    return [options.out / HS3], certificate


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
