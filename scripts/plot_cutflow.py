"""Draw the cutflow of every dataset."""

from typing import TYPE_CHECKING, Any

from taipan.atomic import read_json
from taipan.plotting.cutflow import cutflow_figure, cutflow_numbers
from taipan.plotting.style import save_figure
from taipan.scripting import run_script

if TYPE_CHECKING:
    snakemake: Any


def plot_cutflow(
    cutflow: str, normalisation: str, header: dict[str, Any], outputs: dict[str, str]
) -> None:
    """Write ``cutflow`` as PDF, PNG and JSON."""
    numbers = cutflow_numbers(read_json(cutflow), read_json(normalisation), header)
    save_figure(cutflow_figure(numbers), outputs, numbers)


if __name__ == "__main__":
    run_script(
        plot_cutflow,
        cutflow=snakemake.input.cutflow,
        normalisation=snakemake.input.normalisation,
        header=snakemake.params.header,
        outputs=dict(snakemake.output.items()),
        log=snakemake.log[0],
    )
