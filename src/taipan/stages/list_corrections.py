"""List the corrections of the nominal: Σw before and after each, per sample and region."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping, Sequence

from taipan.analysis_selection import load_analysis
from taipan.atomic import write_json, write_text
from taipan.config.model import Config
from taipan.events.closure import COUNTED, Closure, describe_oddities
from taipan.events.corrected import CorrectionSettings, open_corrections
from taipan.events.selection import early_regions
from taipan.events.stream import stream_dataset

logger = logging.getLogger("taipan.list_corrections")


def list_corrections(
    events: Mapping[str, Sequence[str]],
    normalisation: str,
    pileup: str,
    envelope: dict[str, float],
    config: Config,
    table: str,
    record: str,
) -> None:
    """Write the closure table of the corrections.

    Parameters
    ----------
    events
        Dataset → Parquet files of the skim.
    normalisation, pileup
        JSON files of the rules ``normalise`` and ``measure_pileup``.
    envelope
        Key of a threshold → how far the skim loosens it.
    config
        Sections `samples`, `regions`, `quantities` and `corrections`, and where the analysis is.
    table, record
        CSV and JSON file to write.
    """
    analysis = load_analysis(config.folder, config.quantities)
    settings = CorrectionSettings(config.samples, config.regions)
    corrections = open_corrections(config.corrections, analysis, settings)
    rows, warnings = [], []
    if corrections is not None:
        loosened = {} if analysis.objects is None else analysis.objects.loosened
        largest = {name: envelope.get(key, 0.0) for name, key in loosened.items()}
        regions = early_regions(config.regions, analysis.is_late)
        closure = Closure(analysis, corrections, config.samples, regions, largest)
        for dataset, paths in events.items():
            for block in stream_dataset(dataset, paths, normalisation, pileup, analysis, folds=1):
                closure.add(block)
        rows = closure.rows()
        choices = {name: item.out_of_range for name, item in config.corrections.items()}
        warnings = describe_oddities(rows, choices)
    for line in warnings:
        logger.warning("%s", line)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["correction", "sample", "region", *COUNTED])
    for row in rows:
        writer.writerow(row.values())
    write_text(table, text.getvalue())
    write_json(record, {"corrections": rows, "warnings": warnings})


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(list_corrections)
