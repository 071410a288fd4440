"""Put the workspaces of the eras into one, and look for events that are in two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json
from taipan.inference.eras import combine_eras as combine
from taipan.inference.eras import keep_era
from taipan.skim.duplicates import ChunkList, find_duplicates, refuse_between_eras


def combine_eras(
    workspaces: Mapping[str, Sequence[str]],
    records: Mapping[str, Sequence[str]],
    identities: Mapping[str, Sequence[str]],
    correlations: dict[str, Any],
    common: Sequence[str],
    pois: Sequence[str],
    combined: str,
    record: str,
    parts: Sequence[str],
    part_records: Sequence[str],
) -> None:
    """Write the workspace of all eras, and that of each with the same names.

    Parameters
    ----------
    workspaces, records
        Era → pyhf workspace and its record, one of each.
    identities
        ``<era>:<dataset>`` of collision data → lists of the events of its chunks.
    correlations
        Systematic → its key `eras`.
    common
        Parameters that are the same in all eras.
    pois
        Parameters of interest; the first is shown first.
    combined, record
        JSON files to write: workspace and record of all eras.
    parts, part_records
        The same of each era, in their order.

    Raises
    ------
    TaipanError
        If events of collision data are in two eras; names the datasets.
    """
    lists = [
        ChunkList(name, f"chunk {i}", Path(path))
        for name, paths in identities.items()
        for i, path in enumerate(paths)
    ]
    refuse_between_eras(find_duplicates(lists, list(identities)))
    built = {era: read_json(paths[0]) for era, paths in records.items()}
    models = {era: read_json(paths[0]) for era, paths in workspaces.items()}
    workspace, made = combine(models, built, correlations, common, pois)
    write_json(combined, workspace)
    write_json(record, made)
    for era, part, part_record in zip(workspaces, parts, part_records, strict=True):
        own, own_record = keep_era(workspace, made, era)
        write_json(part, own)
        write_json(part_record, own_record)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(combine_eras)
