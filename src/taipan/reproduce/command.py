"""The commands ``taipan bundle`` and ``taipan reproduce``."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from taipan.analysis_choice import find_shipped
from taipan.analysis_folder import ANALYSES, code_files
from taipan.atomic import write_json
from taipan.checksums import file_digest
from taipan.clean_text import escape_line
from taipan.config.eras import read_eras
from taipan.config.load import load_catalogue, read_config
from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.reproduce.bundle import Bundle, describe_platform, read_bundle, write_bundle, write_eras
from taipan.reproduce.compare import Difference, compare_results

logger = logging.getLogger(__name__)

_COPIED = ("Snakefile", "envs", "profiles", "scripts", "workflow")
_CODE = {*(name.casefold() for name in _COPIED), "src"}
_SHOWN = 20  # differences that are printed; all are in the report
REPORT = "reproduction.json"
RESULTS = "results"
"""Folder of the results in the folder of the run."""


def _keys(items: Sequence[str]) -> dict[str, Any]:
    bad = [item for item in items if "=" not in item]
    if bad:
        raise TaipanError(f"--config: '{bad[0]}' is not KEY=VALUE")
    return {key: yaml.safe_load(value) for key, value in (item.split("=", 1) for item in items)}


def run_bundle(out: Path, overlays: Sequence[str], config: Sequence[str], root: Path) -> None:
    """Run ``taipan bundle``.

    Parameters
    ----------
    out
        File to write.
    overlays
        Configuration files of the run.
    config
        Texts ``KEY=VALUE`` that were put over them.
    root
        Folder of the project.

    Raises
    ------
    TaipanError
        As :func:`~taipan.reproduce.bundle.write_bundle`.
    """
    read = read_config([*overlays], root, **_keys(config))
    results = root / read.results / read.analysis
    if read.eras:
        eras = read_eras([*overlays], root, **_keys(config))
        periods = {era: (one, load_catalogue(one)) for era, one in eras.items()}
        about = write_eras(out, read, periods, results, root)
    else:
        about = write_bundle(out, read, load_catalogue(read), results, root)
    print(f"wrote {out}: result {about['result_sha256'][:16]}, code {about['code']}")


def run_reproduce(
    path: Path,
    folder: Path,
    root: Path,
    config: Sequence[str],
    analysis: str | None,
    *,
    cores: int,
    tolerance: float,
) -> None:
    """Run ``taipan reproduce``.

    Parameters
    ----------
    path
        File of the bundle.
    folder
        New folder for the run.
    root
        Folder of the project.
    config
        Texts ``KEY=VALUE`` that are put over the bundle's configuration.
    analysis
        Folder whose code belongs to the bundle's analysis, if it is none of `root`.
    cores
        Number of cores.
    tolerance
        Largest relative difference of a number.

    Raises
    ------
    TaipanError
        If the bundle is refused, its run fails or a number differs.
    """
    if not 0.0 <= tolerance < 1.0:
        raise TaipanError(f"--tolerance: {tolerance} is not allowed (0 to 1)")
    bundle = read_bundle(path)
    given = _keys(config)
    prepare_folder(bundle, folder, root, given, analysis)
    results = folder / RESULTS / bundle.about["analysis"]
    _run(folder, cores, config)
    found = {
        name: (results / name).read_bytes() for name in bundle.results if (results / name).is_file()
    }
    compared, differences = compare_results(bundle.results, found, tolerance)
    same = {
        name: (results / name).is_file() and file_digest(results / name) == digest
        for name, digest in bundle.about["sha256"].items()
    }
    report = folder / REPORT
    write_json(report, _report(bundle, compared, differences, same))
    print(format_differences(compared, differences, same, tolerance))
    if differences:
        raise TaipanError(f"{len(differences)} of {compared} values differ; all are in {report}")
    if not tolerance and not all(same.values()):
        raise TaipanError(f"files are not the same to the byte (--tolerance 0); see {report}")


def prepare_folder(
    bundle: Bundle,
    folder: Path,
    root: Path,
    given: Mapping[str, Any] | None = None,
    analysis: str | None = None,
) -> None:
    """Make a project of the bundle's configuration and the code of `root`.

    Parameters
    ----------
    bundle
        What was read.
    folder
        New folder; none is left if the bundle is refused.
    root
        Folder of the project.
    given
        Top-level keys that the user puts over the bundle's.
    analysis
        Folder whose code belongs to the bundle's analysis, if it is none of `root`.

    Raises
    ------
    TaipanError
        If the folder is not empty, `root` has no Snakefile, or the bundle holds code or names
        code or places that only the user may choose.
    """
    if not (root / "Snakefile").is_file():
        raise TaipanError(f"{root.resolve()} has no Snakefile; give the project with --root")
    if folder.exists() and any(folder.iterdir()):
        raise TaipanError(f"{folder} is not empty; the run needs a new folder")
    for name in bundle.project:
        if PurePosixPath(name).parts[0].casefold() in _CODE:
            raise TaipanError(f"the bundle may not hold '{name}', which is code")
    folder.mkdir(parents=True, exist_ok=True)
    for name in _COPIED:
        copy = shutil.copytree if (root / name).is_dir() else shutil.copyfile
        copy(root / name, folder / name)
    for name, content in bundle.project.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    try:
        _check_choices(bundle, folder, given or {})
        _copy_code(find_shipped(analysis or bundle.about["analysis"], root), bundle, folder)
    except TaipanError:
        shutil.rmtree(folder)
        raise


def _copy_code(source: Path, bundle: Bundle, folder: Path) -> None:
    """Copy the Python files of an analysis that the user has; a bundle brings none."""
    for path in code_files(source):
        target = folder / ANALYSES / bundle.about["analysis"] / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _check_choices(bundle: Bundle, folder: Path, given: Mapping[str, Any]) -> None:
    """Refuse what a bundle may not decide: which code runs, and where files are written."""
    config = read_config([], folder, **given)
    place = (folder / ANALYSES / bundle.about["analysis"]).resolve()
    if config.analysis != bundle.about["analysis"] or Path(config.folder).resolve() != place:
        raise TaipanError(f"analysis: '{config.analysis}' is not that of the bundle's results")
    if config.results != RESULTS:
        raise TaipanError(
            f"results: '{config.results}' is not allowed ('{RESULTS}', in the folder of the run)"
        )
    _check_places("", config, given, given)
    for era, one in read_eras([], folder, **given).items():
        own = given.get("eras", {}).get(era, {})
        _check_places(f"eras.{era}.", one, own, given)


def _check_places(
    path: str, config: Config, own: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Refuse who runs jobs and where downloads go, if the user did not say so.

    Parameters
    ----------
    path
        What stands before a key.
    config
        The configuration, or that of an era.
    own
        Keys that the user gives at this place.
    given
        Keys that the user gives for all eras: an era of the bundle may say something else.
    """
    allowed = {"local", *(keys.get("skim", {}).get("executor") for keys in (own, given))}
    if config.skim.executor not in allowed:
        raise TaipanError(
            f"{path}skim.executor: '{config.skim.executor}' is not allowed in a bundle ('local'): "
            "a scheduler can run code here"
        )
    files = Path(config.files or "")
    leaves = files.is_absolute() or ".." in files.parts
    chosen = "files" in own or config.files == given.get("files", "")
    if config.remote.access == "fetch" and leaves and not chosen:
        raise TaipanError(
            f"{path}files: '{files}' is outside the folder of the run and would be written to; "
            "say where downloads go with --config files=FOLDER"
        )


def _run(folder: Path, cores: int, config: Sequence[str]) -> None:
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores)]
    command += ["--config", *config, f"results={RESULTS}"]
    # without it, `-m` would import modules from the folder first
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
        raise TaipanError(f"the run in {folder} failed; its messages are above")


def _report(
    bundle: Bundle, compared: int, differences: Sequence[Difference], same: dict[str, bool]
) -> dict[str, Any]:
    return {
        "compared": compared,
        "differences": [
            {"where": d.where, "published": d.published, "found": d.found} for d in differences
        ],
        "identical_files": same,
        "published_on": bundle.about["platform"],
        "found_on": describe_platform(),
    }


def format_differences(
    compared: int, differences: Sequence[Difference], same: dict[str, bool], tolerance: float
) -> str:
    """Give the differences, largest first, and which files are the same to the byte."""
    lines = [f"{compared} values compared, {len(differences)} differ by more than {tolerance:g}"]
    worst = sorted(differences, key=lambda d: d.relative, reverse=True)[:_SHOWN]
    if worst:
        lines += ["", "| value | published | found | relative difference |"]
        lines += ["| --- | ---: | ---: | ---: |"]
        cells = [
            [escape_line(str(cell)) for cell in (d.where, d.published, d.found)] for d in worst
        ]
        lines += [
            f"| {' | '.join(row)} | {d.relative:.2g} |" for row, d in zip(cells, worst, strict=True)
        ]
        lines += [f"and {len(differences) - len(worst)} more"] if len(differences) > _SHOWN else []
    lines += ["", "| file | same to the byte |", "| --- | --- |"]
    lines += [
        f"| {escape_line(name)} | {'yes' if value else 'no'} |" for name, value in same.items()
    ]
    return "\n".join(lines)
