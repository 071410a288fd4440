"""Draw the control plots of one region."""

from typing import TYPE_CHECKING, Any

from taipan.config.slices import restore_slice
from taipan.plotting.control import control_figure, control_numbers
from taipan.plotting.style import save_figure
from taipan.scripting import run_script
from taipan.templates.store import read_histograms

if TYPE_CHECKING:
    snakemake: Any


def plot_control(
    control: str,
    config: dict[str, Any],
    region: str,
    blinded: bool,
    header: dict[str, Any],
    outputs: dict[str, str],
) -> None:
    """Write ``control_<region>`` as PDF, PNG and JSON."""
    settings = restore_slice(config)
    numbers = control_numbers(
        read_histograms(control),
        settings.control_plots,
        settings.samples,
        (region, settings.regions[region]),
        header,
        blinded=blinded,
    )
    save_figure(control_figure(numbers), outputs, numbers)


if __name__ == "__main__":
    run_script(
        plot_control,
        control=snakemake.input.control,
        config=snakemake.params.config,
        region=snakemake.params.region,
        blinded=snakemake.params.blinded,
        header=snakemake.params.header,
        outputs=dict(snakemake.output.items()),
        log=snakemake.log[0],
    )
