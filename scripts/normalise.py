"""Merge the cutflows of all chunks and derive the normalisation of every dataset."""

from typing import TYPE_CHECKING, Any

from taipan.atomic import read_json, write_json
from taipan.datasets import Catalogue
from taipan.normalisation import normalise, to_dict
from taipan.scripting import run_script
from taipan.skim.cutflow import Cutflow

if TYPE_CHECKING:
    snakemake: Any


def normalise_datasets(
    cutflows: list[str],
    catalogue: dict[str, Any],
    luminosity: float,
    expected_events: dict[str, int | None],
    normalisation: str,
    cutflow: str,
) -> None:
    """Write ``normalisation.json`` and the merged ``cutflow.json``."""
    flows: dict[str, list[Cutflow]] = {name: [] for name in expected_events}
    for path in cutflows:
        flow = Cutflow.from_dict(read_json(path))
        flows[flow.dataset].append(flow)
    found, merged = normalise(
        Catalogue.model_validate(catalogue), flows, expected_events, luminosity
    )
    write_json(cutflow, {name: flow.to_dict() for name, flow in merged.items()})
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
        log=snakemake.log[0],
    )
