"""Checks of tables before anything runs: what the selection reads is there, in local files, too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from taipan.analysis import Analysis
from taipan.config.model import Config
from taipan.datasets import Catalogue, used_datasets
from taipan.errors import TaipanError
from taipan.skim.table_steps import require_branches
from taipan.skim.tables import open_table
from taipan.systematics.members import generator_branches


def check_tables(config: Config, catalogue: Catalogue, analysis: Analysis) -> Iterator[str]:
    """Compare the columns of tables with what is read of them.

    Of a local file, the header is read; of a Parquet file that is cut off there is none.

    Parameters
    ----------
    config, catalogue, analysis
        What belongs together.

    Yields
    ------
    str
        One line a problem.
    """
    table = catalogue.table
    if table is None:
        return
    names = [name for name in used_datasets(config, catalogue) if name in catalogue.datasets]
    where = f"catalogue '{catalogue.name}': "
    for name in names:
        if generator_branches(config, name):
            yield f"{where}datasets.{name}: a table has no lists of generator weights"
            return
    try:
        for is_data in {catalogue.datasets[name].is_data for name in names}:
            require_branches(table, analysis, is_data)
    except TaipanError as error:
        yield f"{where}{error}"
        return
    if catalogue.kind != "tables" or config.remote.access != "local" or config.files is None:
        return
    seen: set[tuple[str, bool]] = set()
    for name in names:
        dataset = catalogue.datasets[name]
        for file in dataset.files:
            path = Path(config.files, file)
            known = (file, dataset.is_data)
            if known in seen or not os.path.isfile(path):
                continue  # a file that is not there is reported where folders are checked
            seen.add(known)
            try:
                open_table(path, table.group).require(table.names(is_data=dataset.is_data))
            except TaipanError as error:
                yield str(error)
