"""The likelihood of a run for others: pyhf, HS3, HEPData, yields and cutflows."""

from __future__ import annotations

import contextlib
import io
import shutil
import tarfile
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan.atomic import read_json
from taipan.checksums import verify_files
from taipan.commands.export_model import ExportOptions, run_export
from taipan.export.net_estimates import find_subtractions

_COPIED = {
    "workspace.json": "workspace.json",
    "yields.csv": "yields.csv",
    "cutflow/cutflow.csv": "cutflow.csv",
    "cutflow/cutflow.json": "cutflow.json",
}


def write_likelihood(folder: Path, results: Path, summary: Mapping[str, Any]) -> list[str]:
    """Write the folder ``likelihood``.

    Parameters
    ----------
    folder
        Folder that is published.
    results
        Folder of the run.
    summary
        Its summary.

    Returns
    -------
    list of str
        What is left out, and why, in sentences.

    Raises
    ------
    TaipanError
        If a file is missing or damaged, or hepdata-validator refuses the tables.
    """
    place = folder / "likelihood"
    place.mkdir()
    fit = f"fit/{summary['observable']}.json"
    for name, target in {**_COPIED, fit: "fit.json"}.items():
        verify_files([results / name])
        shutil.copyfile(results / name, place / target)
    with contextlib.redirect_stdout(io.StringIO()):  # the certificate is in the folder
        run_export(
            ExportOptions(
                place / "workspace.json",
                "hs3",
                place,
                certificate=place / "hs3_certificate.json",
                refit=False,
            )
        )
    observed = read_json(place / "fit.json")["observed"]
    if observed is None:
        return ["The run is blinded: there are no data of signal regions and no HEPData tables."]
    subtractions = find_subtractions(read_json(place / "workspace.json"))
    _write_hepdata(place / "hepdata", {"poi": summary["poi"], **observed}, subtractions)
    return []


def _write_hepdata(
    folder: Path, result: Mapping[str, Any], subtractions: Mapping[str, str]
) -> None:
    """Write the submission as a folder: an archive would hold times."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as temporary:
        # hepdata-validator uses a deprecated jsonschema class
        warnings.filterwarnings("ignore", "jsonschema.*Ref", DeprecationWarning)
        from taipan.export.hepdata import write_hepdata  # slow to import

        archive = Path(temporary, "submission.tar.gz")
        write_hepdata(result, archive, subtractions)
        with tarfile.open(archive) as content:
            content.extractall(folder, filter="data")
