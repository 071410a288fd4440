"""What the command ``taipan export tables`` does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_text
from taipan.errors import TaipanError
from taipan.export.tables import TableRows, to_csv
from taipan.finished_runs import find_in_run
from taipan.summary.layout import plain_label
from taipan.summary.paper_tables import (
    latex_rows,
    list_all_yields,
    tabulate_fitted,
    tabulate_parameters,
    tabulate_parts,
    tabulate_results,
    tabulate_yields,
)
from taipan.summary.words import write_unit


def run_export_tables(results: Path, out: Path) -> None:
    """Run ``taipan export tables``.

    Parameters
    ----------
    results
        Folder of a finished run.
    out
        Folder that receives ``<table>.tex`` and ``<table>.csv``.

    Raises
    ------
    TaipanError
        If the run is not finished; names the file that is missing.
    """
    summary = open_summary(results)
    fit = read_json(results / f"fit/{summary['observable']}.json")
    numbers = read_json(results / f"plots/postfit_{summary['observable']}.json")
    labels = {name: style["label"] for name, style in numbers["samples"].items()}
    result = fit["expected" if fit["observed"] is None else "observed"]
    tables: dict[str, TableRows] = {
        "results": tabulate_results(summary),
        "yields_prefit": tabulate_yields(summary, labels, _regions(results, summary, numbers)),
        "yields_postfit": tabulate_fitted(numbers, result["postfit"]),
        "parameters": tabulate_parameters(result),
        "breakdown": tabulate_parts(result["breakdown"], write_unit(summary, summary["poi"])),
    }
    for name, rows in tables.items():
        write_text(out / f"{name}.tex", latex_rows(rows))
        plain = [[plain_label(cell) for cell in row] for row in rows]
        if name == "yields_prefit":  # one number a cell, and the regions of the estimates as well
            plain = list_all_yields(summary, labels, _regions(results, summary, numbers))
        write_text(out / f"{name}.csv", to_csv(plain))
    print(f"wrote {len(tables)} tables as .tex and .csv to {out}: {', '.join(tables)}")


def open_summary(results: Path) -> dict[str, Any]:
    """Read the summary of a finished run of one period.

    Raises
    ------
    TaipanError
        If there is none, or it is that of several eras.
    """
    summary: dict[str, Any] = read_json(find_in_run(results, "summary.json"))
    if "eras" in summary:
        names = ", ".join(f"{results}/eras/{era}/{summary['analysis']}" for era in summary["eras"])
        raise TaipanError(f"{results}: a run of several eras; name one of them ({names})")
    return summary


def _regions(
    results: Path, summary: Mapping[str, Any], numbers: Mapping[str, Any]
) -> dict[str, str]:
    """Give region → label, as figures have them."""
    found = {panel["region"]: panel["region_label"] for panel in numbers["panels"]}
    for region in summary["yields"]:
        path = results / f"plots/control_{region}.json"
        if region not in found and path.exists():
            found[region] = read_json(path)["region"]["label"] or region
    return found
