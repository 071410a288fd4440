"""Merge the cutflows of all chunks and derive the normalisation of every dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taipan.atomic import read_json, write_json, write_text
from taipan.config.model import Config
from taipan.datasets import Catalogue
from taipan.normalisation import normalise as scale
from taipan.normalisation import to_dict
from taipan.skim.cutflow import Cutflow, list_cuts
from taipan.skim.duplicates import (
    ChunkList,
    Duplicates,
    count_once,
    describe_duplicates,
    find_duplicates,
    refuse_duplicates,
)
from taipan.skim.parts import Part, check_branches, skipped_part
from taipan.skim.weight_means import choose_generator
from taipan.skipped import Skipped, count_skipped, describe_skipped, luminosity_read


def read_parts(cutflows: Sequence[str]) -> dict[str, list[Part]]:
    """Dataset → what its chunks read, those left out apart."""
    parts: dict[str, list[Part]] = {}
    for content in map(read_json, cutflows):
        if "skipped" not in content:
            parts.setdefault(content["dataset"], []).append(Part.from_dict(content["part"]))
    return parts


def find_repeats(
    cutflows: Sequence[str], identities: Mapping[str, Sequence[str]], catalogue: Catalogue
) -> Duplicates:
    """Find the events that occur more than once in the chunks of `cutflows`."""
    files: dict[str, list[str]] = {}
    for content in map(read_json, cutflows):
        file = content["file"] if "skipped" in content else content["part"]["file"]
        files.setdefault(content["dataset"], []).append(file)
    lists = [
        ChunkList(name, file, Path(path))
        for name, paths in identities.items()
        for file, path in zip(files[name], paths, strict=True)
    ]
    return find_duplicates(lists, [name for name in identities if catalogue.dataset(name).is_data])


def normalise(
    cutflows: Sequence[str],
    catalogue: dict[str, Any],
    luminosity: float,
    expected_events: dict[str, int | None],
    normalisation: str,
    cutflow: str,
    table: str,
    skipped: str,
    identities: Mapping[str, Sequence[str]],
    duplicates: str = "fail",
    repeats: str | None = None,
    nominal: Sequence[str] = (),
    data: str | None = None,
    generator: Config | None = None,
) -> None:
    """Write ``normalisation.json``, the merged cutflow as JSON and table, and what was skipped.

    Parameters
    ----------
    cutflows
        JSON files of the skim, one for each chunk.
    catalogue
        The dataset catalogue as plain values.
    luminosity
        Of all data, in fb⁻¹.
    expected_events
        Dataset → entries of the unskimmed sample, None where only the file knows.
    normalisation, cutflow, skipped
        JSON files to write.
    table
        CSV file to write: the cutflow.
    identities
        Dataset → lists of the events of its chunks.
    duplicates
        ``fail``: what occurs twice ends the job; ``first``: it counts once.
    repeats
        JSON file to write for ``first``: rows to leave out.
    nominal
        Of alternative datasets: cutflows of the nominal ones, whose branches must mean the
        same.
    data
        Of alternative datasets: record of what the others skipped, whose luminosity counts.
    generator
        Sections `samples` and `systematics`, the latter of generator weights alone; None if there
        are none.
    """
    if data is not None:
        luminosity = read_json(data)["luminosity"]
    flows: dict[str, list[Cutflow]] = {name: [] for name in expected_events}
    parts: dict[str, list[Part]] = {name: [] for name in expected_events}
    left_out: list[Skipped] = []
    for path in cutflows:
        content = read_json(path)
        dataset = content["dataset"]
        if "skipped" in content:
            keys = ("dataset", "file", "start", "stop", "skipped")
            left_out.append(Skipped(*(content[key] for key in keys)))
            parts[dataset].append(skipped_part(*(content[key] for key in keys[1:4])))
        else:
            flows[dataset].append(Cutflow.from_dict(content))
            parts[dataset].append(Part.from_dict(content["part"]))
    check_branches({**read_parts(nominal), **parts})
    datasets = Catalogue.model_validate(catalogue)
    lost = count_skipped(left_out, flows, expected_events)
    read = luminosity_read(datasets, luminosity, lost, expected_events)
    repeated = find_repeats(cutflows, identities, datasets)
    if duplicates == "fail":
        refuse_duplicates(repeated)
    found, merged = scale(datasets, flows, expected_events, read, lost, parts, repeated)
    if generator is not None:
        choose_generator(
            generator.systematics,
            {name: sample.datasets for name, sample in generator.samples.items()},
            {name: item.weight_means for name, item in found.items()},
        )
    if duplicates == "first":
        merged = {name: count_once(flow, repeated) for name, flow in merged.items()}
    write_json(
        skipped,
        {
            "luminosity": read,
            "events": lost,
            "warnings": [
                *describe_skipped(datasets, left_out, lost, expected_events, (luminosity, read)),
                *describe_duplicates(
                    repeated,
                    {name: item.same_period for name, item in datasets.datasets.items()},
                ),
            ],
        },
    )
    if repeats is not None:
        write_json(
            repeats, {name: [c.rows for c in chunks] for name, chunks in repeated.chunks.items()}
        )
    write_json(cutflow, {name: flow.to_dict() for name, flow in merged.items()})
    write_text(table, list_cuts(merged))
    write_json(normalisation, to_dict(found))


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(normalise)
