"""List the nominal yields of every region and process."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection

from taipan.atomic import write_text
from taipan.labels import DATA
from taipan.templates.combine import list_yields as collect_yields
from taipan.templates.store import read_histograms


def list_yields(templates: str, blinded: Collection[str], yields: str) -> None:
    """Write ``yields.csv``; the data of the regions `blinded` are left out.

    Parameters
    ----------
    templates
        Histogram file of the rule ``combine_templates``.
    blinded
        Regions whose data are left out.
    yields
        CSV file to write.
    """
    histogram = next(iter(read_histograms(templates).values()))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["region", "process", "yield", "stat"])
    for item in collect_yields(histogram):
        if item.process != DATA or item.region not in blinded:
            table.writerow([item.region, item.process, item.value, item.stat])
    write_text(yields, text.getvalue())


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(list_yields)
