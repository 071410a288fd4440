"""Cutflow: how many events of each dataset pass each cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from taipan.errors import TaipanError
from taipan.plotting.style import add_header, house_style, inch_margins, new_figure

GENERATED_ROW = "generated"

_COLUMNS = 3
_DATA, _SIMULATION = "#4c4c4c", "#5790fc"


def cutflow_numbers(
    cutflow: Mapping[str, Any], normalisation: Mapping[str, Any], header: Mapping[str, Any]
) -> dict[str, Any]:
    """Collect events and efficiency after each cut.

    Parameters
    ----------
    cutflow
        Dataset → cutflow (``cutflow/cutflow.json``).
    normalisation
        Dataset → scale and unskimmed events (``normalisation.json``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``datasets``: dataset → ``is_data`` and ``cuts`` (name, ``events``, ``expected`` = scale ×
        Σw, ``efficiency`` = Σw over that of the first entry). Where the files were skimmed
        before, the first entry is ``generated``: what the unskimmed dataset held.

    Raises
    ------
    TaipanError
        If a dataset has no normalisation, or its first Σw is not positive.
    """
    datasets = {}
    for name, flow in cutflow.items():
        if name not in normalisation:
            raise TaipanError(f"normalisation.json: dataset '{name}' is missing")
        entry = normalisation[name]
        cuts = [(cut["name"], cut["events"], cut["sumw"]) for cut in flow["cuts"]]
        if entry["generated_events"] > cuts[0][1]:
            cuts.insert(0, (GENERATED_ROW, entry["generated_events"], entry["sumw"]))
        if not cuts[0][2] > 0.0:
            raise TaipanError(
                f"cutflow of '{name}': Σw of '{cuts[0][0]}' is {cuts[0][2]:g}, must be positive"
            )
        datasets[name] = {
            "is_data": entry["is_data"],
            "cuts": [
                {
                    "name": cut,
                    "events": events,
                    "expected": entry["scale"] * sumw,
                    "efficiency": sumw / cuts[0][2],
                }
                for cut, events, sumw in cuts
            ],
        }
    return {"header": dict(header), "datasets": datasets}


@house_style()
def cutflow_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the events after each cut, a panel a dataset, with efficiencies beside the bars.

    Parameters
    ----------
    numbers
        Of :func:`cutflow_numbers`.
    """
    datasets = numbers["datasets"]
    columns = min(_COLUMNS, len(datasets))
    rows = -(-len(datasets) // columns)
    longest = max(len(item["cuts"]) for item in datasets.values())
    height = 0.27 * longest + 0.3
    figure = new_figure(4.4 * columns, (height + 0.4) * rows + 0.95)
    grid = figure.add_gridspec(
        rows, columns, hspace=0.4 / height, wspace=0.3, **inch_margins(figure, 0.9, 0.15, 0.5, 0.7)
    )
    axes = []
    for index, (name, item) in enumerate(datasets.items()):
        place = figure.add_subplot(grid[index // columns, index % columns])
        _draw_flow(place, item, longest)
        place.set_title(name, loc="left", size=9, pad=3)
        axes.append(place)
    axes[-1].set_xlabel("Events")
    # a frame of all panels carries the header, above their titles
    whole = figure.add_gridspec(1, 1, **inch_margins(figure, 0.9, 0.15, 0.5, 0.45))
    frame = figure.add_subplot(whole[0])
    frame.set_axis_off()
    add_header(frame, frame, numbers["header"], "Events (efficiency) after each cut")
    return figure


def _draw_flow(axes: Axes, item: Mapping[str, Any], longest: int) -> None:
    cuts = item["cuts"]
    events = np.array([cut["events"] for cut in cuts], dtype=np.float64)
    places = np.arange(len(cuts))
    axes.barh(places, events, color=_DATA if item["is_data"] else _SIMULATION, height=0.7)
    # the labels stand right of the bars, in room that the axis leaves
    axes.set_xlim(0.0, 1.75 * max(float(events.max()), 1.0))
    for place, cut in zip(places, cuts, strict=True):
        axes.annotate(
            f"{cut['events']:,} ({_percent(cut['efficiency'])})",
            (cut["events"], place),
            (4, 0),
            textcoords="offset points",
            va="center",
            size=8,
        )
    axes.set_yticks(places, [cut["name"] for cut in cuts])
    axes.set_ylim(longest - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _percent(efficiency: float) -> str:
    percent = 100.0 * efficiency
    return f"{percent:.1f} %" if percent >= 10.0 else f"{percent:.2g} %"
