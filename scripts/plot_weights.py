"""Draw the weights: their distribution, where the negative ones are, closure of the features."""

from typing import TYPE_CHECKING, Any

from taipan.atomic import read_json
from taipan.plotting.style import save_figure
from taipan.plotting.weights import FIGURES, weight_numbers
from taipan.scripting import run_script

if TYPE_CHECKING:
    snakemake: Any


def plot_weights(
    diagnostics: str,
    header: dict[str, Any],
    units: dict[str, str],
    outputs: dict[str, dict[str, str]],
) -> None:
    """Write the figures of the diagnostics of the weights.

    `units` are those of the quantities by name, `outputs` maps each figure to the
    paths of its ``pdf``, ``png`` and ``json``.
    """
    numbers = weight_numbers(read_json(diagnostics), header, units)
    for name, draw in FIGURES.items():
        save_figure(draw(numbers), outputs[name], numbers)


if __name__ == "__main__":
    run_script(
        plot_weights,
        diagnostics=snakemake.input.diagnostics,
        header=snakemake.params.header,
        units=snakemake.params.units,
        outputs={
            figure: {kind: snakemake.output[f"{figure}_{kind}"] for kind in ("pdf", "png", "json")}
            for figure in FIGURES
        },
        log=snakemake.log[0],
    )
