"""Train against an adversary of one strength with one seed, and expect an uncertainty."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.adversary_scan.point import Files, measure_point
from taipan.atomic import write_json
from taipan.config.slices import restore_slice
from taipan.scripting import local_files, run_script

if TYPE_CHECKING:
    snakemake: Any


def scan_point(
    files: Mapping[str, Any],
    config: Mapping[str, Any],
    strength: str,
    seed: int,
    threads: int,
    models: Sequence[str],
    record: str,
    point: str,
) -> None:
    """Write the networks, their record and the point.

    Parameters
    ----------
    files
        Arguments of :class:`~taipan.adversary_scan.point.Files`.
    config
        Sections of the training, the templates, the fit and `decorrelation`.
    strength
        λ.
    seed
        Seed of the training.
    threads
        Threads of TensorFlow and of the networks.
    models, record
        ONNX file of each fold, and the record of the training.
    point
        JSON file to write (``docs/adversary.md``).
    """
    found = measure_point(
        Files(**files),
        restore_slice(config),
        float(strength),
        seed,
        [Path(path) for path in models],
        Path(record),
        threads,
    )
    write_json(point, found)


if __name__ == "__main__":
    run_script(
        scan_point,
        files={
            "events": local_files(snakemake.params.events, snakemake.input.events),
            "normalisation": snakemake.input.normalisation,
            "pileup": snakemake.input.pileup,
            "transfer_factor": snakemake.input.transfer_factor,
            "shapes": snakemake.input.shapes,
            "weights": list(snakemake.input.weights),
            "best": snakemake.input.get("best"),
        },
        config=snakemake.params.config,
        strength=snakemake.wildcards.strength,
        seed=snakemake.params.seeds[int(snakemake.wildcards.number)],
        threads=snakemake.threads,
        models=list(snakemake.output.models),
        record=snakemake.output.record,
        point=snakemake.output.point,
        log=snakemake.log[0],
    )
