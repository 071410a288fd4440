"""Merge the cutflows of all chunks and derive the normalisation of every dataset."""

from typing import TYPE_CHECKING, Any

from taipan.atomic import read_json, write_json, write_text
from taipan.datasets import Catalogue
from taipan.normalisation import normalise, to_dict
from taipan.scripting import run_script
from taipan.skim.cutflow import Cutflow, list_cuts
from taipan.skim.parts import Part

if TYPE_CHECKING:
    snakemake: Any


def normalise_datasets(
    cutflows: list[str],
    catalogue: dict[str, Any],
    luminosity: float,
    expected_events: dict[str, int | None],
    normalisation: str,
    cutflow: str,
    table: str,
) -> None:
    """Write ``normalisation.json``, the merged ``cutflow.json`` and the same as a table."""
    flows: dict[str, list[Cutflow]] = {name: [] for name in expected_events}
    parts: dict[str, list[Part]] = {name: [] for name in expected_events}
    for path in cutflows:
        content = read_json(path)
        flow = Cutflow.from_dict(content)
        flows[flow.dataset].append(flow)
        parts[flow.dataset].append(Part.from_dict(content["part"]))
    found, merged = normalise(
        Catalogue.model_validate(catalogue), flows, expected_events, luminosity, parts=parts
    )
    write_json(cutflow, {name: flow.to_dict() for name, flow in merged.items()})
    write_text(table, list_cuts(merged))
    write_json(normalisation, to_dict(found))


if __name__ == "__main__":
    run_script(
        normalise_datasets,
        cutflows=list(snakemake.input.cutflows),
        catalogue=snakemake.params.catalogue,
        luminosity=snakemake.params.luminosity,
        expected_events=snakemake.params.expected_events,
        normalisation=snakemake.output.normalisation,
        cutflow=snakemake.output.cutflow,
        table=snakemake.output.table,
        log=snakemake.log[0],
    )
