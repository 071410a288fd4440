"""List the nominal yields of every region and process."""

import csv
import io
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from taipan.atomic import write_text
from taipan.scripting import run_script
from taipan.templates.combine import list_yields
from taipan.templates.fill import DATA
from taipan.templates.store import read_histograms

if TYPE_CHECKING:
    snakemake: Any


def write_yields(templates: str, blinded: Collection[str], yields: str) -> None:
    """Write ``yields.csv``; the data of the regions `blinded` are left out."""
    histogram = next(iter(read_histograms(templates).values()))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["region", "process", "yield", "stat"])
    for item in list_yields(histogram):
        if item.process != DATA or item.region not in blinded:
            table.writerow([item.region, item.process, item.value, item.stat])
    write_text(yields, text.getvalue())


if __name__ == "__main__":
    run_script(
        write_yields,
        templates=snakemake.input.templates,
        blinded=snakemake.params.blinded,
        yields=snakemake.output.yields,
        log=snakemake.log[0],
    )
