"""Merge the cutflows of all chunks and derive the normalisation of every dataset."""

from typing import TYPE_CHECKING, Any

from taipan.atomic import read_json, write_json, write_text
from taipan.datasets import Catalogue
from taipan.normalisation import normalise, to_dict
from taipan.scripting import run_script
from taipan.skim.cutflow import Cutflow, list_cuts
from taipan.skim.parts import Part, check_branches, skipped_part
from taipan.skipped import Skipped, count_skipped, describe_skipped, luminosity_read

if TYPE_CHECKING:
    snakemake: Any


def read_parts(cutflows: list[str]) -> dict[str, list[Part]]:
    """Dataset → what its chunks read, those left out apart."""
    parts: dict[str, list[Part]] = {}
    for content in map(read_json, cutflows):
        if "skipped" not in content:
            parts.setdefault(content["dataset"], []).append(Part.from_dict(content["part"]))
    return parts


def normalise_datasets(
    cutflows: list[str],
    nominal: list[str],
    catalogue: dict[str, Any],
    luminosity: float,
    data: str | None,
    expected_events: dict[str, int | None],
    normalisation: str,
    cutflow: str,
    table: str,
    skipped: str,
) -> None:
    """Write ``normalisation.json``, the merged cutflow as JSON and table, and what was skipped.

    Of alternative datasets, `nominal` are the cutflows of the others, whose branches must mean the
    same, and `data` is the record of skipped chunks of the collision data, whose luminosity counts.
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
    found, merged = normalise(datasets, flows, expected_events, read, lost, parts)
    write_json(
        skipped,
        {
            "luminosity": read,
            "events": lost,
            "warnings": describe_skipped(
                datasets, left_out, lost, expected_events, (luminosity, read)
            ),
        },
    )
    write_json(cutflow, {name: flow.to_dict() for name, flow in merged.items()})
    write_text(table, list_cuts(merged))
    write_json(normalisation, to_dict(found))


if __name__ == "__main__":
    run_script(
        normalise_datasets,
        cutflows=list(snakemake.input.cutflows),
        nominal=list(snakemake.input.get("nominal", [])),
        catalogue=snakemake.params.catalogue,
        luminosity=snakemake.params.luminosity,
        data=snakemake.input.get("data"),
        expected_events=snakemake.params.expected_events,
        normalisation=snakemake.output.normalisation,
        cutflow=snakemake.output.cutflow,
        table=snakemake.output.table,
        skipped=snakemake.output.skipped,
        log=snakemake.log[0],
    )
