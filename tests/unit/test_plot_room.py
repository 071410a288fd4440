"""Nothing on a figure is cut off or lies on something else, however long names are."""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from taipan.plotting.fit import fit_figure
from taipan.plotting.shifts import shift_figure
from taipan.plotting.style import add_header, house_style, new_figure
from taipan.plotting.tuning import bar_figure
from tests.unit.test_plotting import HEADER

LONG = "DER_mass_transverse_met_lepton_and_jet"


def leaves_figure(figure: Figure, texts: list[Text]) -> list[str]:
    with house_style():
        FigureCanvasAgg(figure).draw()
        boxes = {text.get_text(): text.get_window_extent() for text in texts}
    width, height = figure.bbox.width, figure.bbox.height
    return [
        name
        for name, box in boxes.items()
        if box.x0 < 0.0 or box.y0 < 0.0 or box.x1 > width or box.y1 > height
    ]


def test_long_region_ends_before_the_luminosity() -> None:
    """`OS, 60 < m < 120 GeV` was written over it."""
    with house_style():
        figure = new_figure(5.0, 4.0)
        axes = figure.add_subplot()
        add_header(axes, axes, HEADER, "a region with many words in it, and then some more")
        FigureCanvasAgg(figure).draw()
        left, right = (text.get_window_extent() for text in axes.texts)
    assert left.x1 < right.x0


def test_names_of_samples_and_systematics_fit_beside_their_cells() -> None:
    shift = {"region": "a", "direction": "up", "chi2": 2.0, "ndf": 1}
    shifts = [{**shift, "sample": LONG, "systematic": f"{LONG}_up"}]
    figure = shift_figure({"header": HEADER, "regions": {"a": "SR"}, "shifts": shifts})
    axes = figure.axes[0]
    assert not leaves_figure(figure, [*axes.get_xticklabels(), *axes.get_yticklabels()])


def test_label_of_the_colours_is_as_long_as_they_are() -> None:
    """One row is 0.3 inches high."""
    shift = {"region": "a", "direction": "up", "chi2": 2.0, "ndf": 1, "sample": "Z"}
    shifts = [{**shift, "systematic": "pileup"}]
    figure = shift_figure({"header": HEADER, "regions": {"a": "SR"}, "shifts": shifts})
    labels = [text for text in figure.findobj(Text) if "noise" in text.get_text()]
    assert len(labels) == 1
    assert not leaves_figure(figure, labels)


def test_name_of_an_input_fits_beside_its_bar() -> None:
    figure = bar_figure({LONG: {"value": 0.1, "sigma": 0.01}}, HEADER, "Loss", "Inputs")
    assert not leaves_figure(figure, figure.axes[0].get_yticklabels())


def test_legend_of_many_samples_is_no_wider_than_the_figure() -> None:
    """With eight samples its ends were cut off."""
    names = [f"sample number {i}, 10 to 20 GeV" for i in range(9)]
    panel = {
        "region": "a", "region_label": "SR", "single_bin": False, "label": "p", "unit": "GeV",
        "edges": [0.0, 1.0], "samples": {name: [1.0] for name in names}, "signal": [0.0],
        "total": [9.0], "total_sigma": [1.0], "data": [9.0],
    }  # fmt: skip
    samples = {name: {"label": name, "colour": "#ff0000", "role": "background"} for name in names}
    numbers = {
        "header": HEADER, "stage": "prefit", "kind": "observed", "poi": "mu", "mu": 1.0,
        "mu_sigma": None, "samples": samples, "panels": [panel],
    }  # fmt: skip
    figure = fit_figure(numbers)
    (legend,) = figure.legends
    assert not leaves_figure(figure, legend.get_texts())
    with house_style():
        FigureCanvasAgg(figure).draw()
        below = legend.get_window_extent().y0
    header = figure.axes[0].texts[-1].get_window_extent()
    assert header.y1 < below


def test_label_of_the_colours_beside_many_columns_is_on_the_figure() -> None:
    """The bar was three per cent of the cells' width, and left no room for its label."""
    shift = {"region": "a", "direction": "up", "chi2": 2.0, "ndf": 1, "systematic": "pileup"}
    shifts = [{**shift, "sample": f"Z{i}"} for i in range(40)]
    figure = shift_figure({"header": HEADER, "regions": {"a": "SR"}, "shifts": shifts})
    labels = [text for text in figure.findobj(Text) if "noise" in text.get_text()]
    assert not leaves_figure(figure, labels)
