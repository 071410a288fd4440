"""What the command ``taipan export events`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taipan.atomic import replacing, write_text
from taipan.commands.flat_files import TableFile, file_format
from taipan.commands.run_events import open_events, read_run
from taipan.errors import TaipanError
from taipan.export.tables import to_csv
from taipan.labels import DATA


@dataclass(frozen=True)
class EventsOptions:
    """What ``taipan export events`` is asked for; its ``--help`` says what each option means."""

    out: Path
    configfile: Sequence[str] = ()
    analysis: str | None = None
    results: Path | None = None
    nominal: bool = False
    root: Path = Path()


def run_export_events(options: EventsOptions) -> None:
    """Run ``taipan export events``.

    Raises
    ------
    TaipanError
        If the run is not finished, or the ending of the file is no format.
    """
    kind = file_format(options.out)
    config, catalogue, results = read_run(
        options.configfile, options.root, options.analysis, options.results
    )
    run = open_events(config, catalogue, results, nominal_only=options.nominal)
    names = {
        "dataset": run.nominal,
        "process": [*config.samples, DATA],
        "region": list(config.regions),
    }
    columns: list[str] = []
    with replacing(options.out) as temporary, TableFile(temporary, kind, names) as file:
        for dataset in run.nominal:
            for rows in run.rows(dataset):
                columns = list(rows)
                file.add(rows)
        if not file.rows:
            raise TaipanError(f"{results}: no event is in any region")
    described = options.out.with_name(f"{options.out.stem}_columns.csv")
    lines = [["column", "unit", "meaning"]]
    lines += [[item.name, item.unit, item.meaning] for item in run.flat.describe(columns)]
    write_text(described, to_csv(lines))
    print(f"wrote {options.out}: {file.rows} rows, {len(columns)} columns")
    print(f"wrote {described}: what each column is")
    missing = run.flat.left_out()
    if missing and not options.nominal:
        print(f"without a weight, because they move events or use others: {', '.join(missing)}")
