"""A stack of samples with data, uncertainty and the ratio of data to prediction.

A *panel* is a dictionary of plain numbers: ``label``, ``unit``, ``edges`` (n + 1), ``samples``
(name → n yields), ``total`` and ``total_sigma`` (n), ``data`` (n, or None if it must not be seen).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hist.intervals import poisson_interval
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from taipan.config.sections.plotting import SignalStyle
from taipan.config.sections.samples import Sample
from taipan.plotting.style import SIGNAL_COLOUR, with_unit

Array = NDArray[np.float64]

_BAND = {"facecolor": "none", "edgecolor": "#555555", "hatch": "//////", "linewidth": 0.0}
_RATIO_RANGES = (0.1, 0.2, 0.5, 1.0)
_SIGNAL_SHARE = 0.2  # of the background, to which the overlaid signal is scaled up


def ratio_to(values: ArrayLike, reference: ArrayLike) -> Array:
    """Divide bin by bin; NaN, which is not drawn, where the reference is not positive."""
    top, bottom = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    usable = bottom > 0.0
    return np.where(usable, top / np.where(usable, bottom, 1.0), np.nan)


def describe_samples(samples: Mapping[str, Sample]) -> dict[str, dict[str, str]]:
    """Give name, colour and role of each sample, in stacking order."""
    return {
        name: {"label": item.label or name, "colour": item.colour, "role": item.role}
        for name, item in samples.items()
    }


def signal_factor(signal: float, background: float) -> int:
    """Give the largest of 1, 2, 5, 10, ... that keeps the signal below a fifth of the background.

    Parameters
    ----------
    signal, background
        Yields.
    """
    if signal <= 0.0 or background <= 0.0:
        return 1
    allowed = _SIGNAL_SHARE * background / signal
    steps = [step * 10**power for power in range(7) for step in (1, 2, 5)]
    return max([step for step in steps if step <= allowed], default=1)


def is_stacked(signal: float, background: float, wish: SignalStyle = "auto") -> bool:
    """Tell whether a signal is drawn in the stack, by default one above a fifth of the background.

    A smaller one would not be seen there and is drawn as a line, scaled up.

    Parameters
    ----------
    signal, background
        Yields.
    wish
        ``stack`` or ``line``, whatever the yields are.
    """
    if wish != "auto":
        return wish == "stack"
    return signal > _SIGNAL_SHARE * max(background, 0.0)


def divides_by_width(edges: Sequence[float], unit: str) -> bool:
    """Tell whether a panel shows a density: bins of different widths in a physical unit.

    Quantities without a unit may be categories (jets, decay modes), which have no density.
    """
    return bool(unit) and not np.allclose(np.diff(edges), edges[1] - edges[0])


def draw_stack(
    main: Axes,
    ratio: Axes,
    panel: Mapping[str, Any],
    samples: Mapping[str, Mapping[str, str]],
    *,
    overlay: Mapping[str, Any] | None = None,
    stacked: bool = False,
    log: bool = False,
) -> None:
    """Draw the backgrounds as a stack, the total with its band, the data, and their ratio.

    The total is drawn as a line of its own, because contributions can be negative (estimated
    estimates, a fitted negative signal): those hang below zero.

    Parameters
    ----------
    main, ratio
        Axes for the stack and for the ratio below it.
    panel
        What is drawn.
    samples
        Label, colour and role of each sample.
    overlay
        ``yields`` (n) and ``factor`` of a signal drawn as a line.
    stacked
        Whether signals are part of the stack.
    log
        Whether the axis of events is logarithmic.
    """
    edges = np.asarray(panel["edges"], dtype=np.float64)
    density = divides_by_width(panel["edges"], panel["unit"])
    scale = 1.0 / np.diff(edges) if density else np.ones(len(edges) - 1)
    above, below = np.zeros(len(scale)), np.zeros(len(scale))
    for name, style in samples.items():
        if (style["role"] == "signal" and not stacked) or name not in panel["samples"]:
            continue
        values = np.asarray(panel["samples"][name]) * scale
        for base, part in ((above, np.maximum(values, 0.0)), (below, np.minimum(values, 0.0))):
            if part.any():
                main.stairs(
                    base + part, edges, baseline=base, fill=True, color=style["colour"], lw=0
                )
        above, below = above + np.maximum(values, 0.0), below + np.minimum(values, 0.0)
    total = np.asarray(panel["total"]) * scale
    sigma = np.asarray(panel["total_sigma"]) * scale
    main.stairs(total, edges, color="black", lw=0.8)
    main.stairs(total + sigma, edges, baseline=total - sigma, fill=True, **_BAND)
    highest = [*(total + sigma), *above]
    if overlay is not None:
        line = np.asarray(overlay["yields"]) * overlay["factor"] * scale
        main.stairs(line, edges, color=SIGNAL_COLOUR, lw=1.3, baseline=None)
        highest += [*line]
    if panel["data"] is not None:
        highest += [*(_draw_data(main, edges, np.asarray(panel["data"]), scale) * scale)]
    _set_range(main, edges, np.asarray(highest), np.concatenate([total, above]), below, log)
    main.set_ylabel(f"Events / {panel['unit']}" if density else "Events")
    main.tick_params(labelbottom=False)
    _draw_ratio(ratio, edges, panel)


def mark_outside(
    axes: Axes, places: Array, values: Array, limits: tuple[float, float], colour: str
) -> None:
    """Draw an arrow head at the edge of the axes for each value beyond the limits.

    Parameters
    ----------
    axes
        Where the values are drawn.
    places, values
        Coordinates, shape (n,); NaN is neither inside nor outside.
    limits
        Range of the axis.
    colour
        Colour of the values.
    """
    low, high = limits
    margin = 0.06 * (high - low)
    for beyond, edge, marker in (
        (values > high, high - margin, "^"),
        (values < low, low + margin, "v"),
    ):
        axes.plot(
            places[beyond], np.full(int(beyond.sum()), edge), marker, color=colour, ms=4, zorder=6
        )


def legend_entries(
    samples: Mapping[str, Mapping[str, str]],
    band: str,
    *,
    data: str | None,
    signal: str | None,
    stacked: bool = False,
) -> list[Any]:
    """Make the handles of a legend that serves several panels; `stacked`: signals, too."""
    handles: list[Any] = []
    if data is not None:
        handles.append(Line2D([], [], color="black", marker="o", ms=4, lw=1.0, label=data))
    filled = [item for item in samples.values() if stacked or item["role"] != "signal"]
    handles += [Patch(color=item["colour"], label=item["label"]) for item in reversed(filled)]
    if signal is not None:
        handles.append(Line2D([], [], color=SIGNAL_COLOUR, lw=1.3, label=signal))
    return [*handles, Patch(label=band, **_BAND)]


def _draw_data(axes: Axes, edges: Array, counts: Array, scale: Array) -> Array:
    low, high = poisson_interval(counts)
    axes.errorbar(
        0.5 * (edges[1:] + edges[:-1]), counts * scale,
        yerr=[(counts - low) * scale, (high - counts) * scale],
        fmt="o", color="black", ms=3, lw=0.9, zorder=5,
    )  # fmt: skip
    return np.asarray(high)


def _set_range(
    axes: Axes, edges: Array, highest: Array, levels: Array, below: Array, log: bool
) -> None:
    axes.set_xlim(edges[0], edges[-1])
    top = max(float(highest.max()), 1e-9)
    if not log:
        # room above for the text inside the axes
        axes.set_ylim(1.15 * float(below.min()), 1.3 * top)
        return
    positive = levels[levels > 0.0]
    floor = 0.05 * float(positive.min()) if len(positive) else 0.1 * top
    axes.set_yscale("log")
    axes.set_ylim(floor, top * (top / floor) ** 0.2)


def _draw_ratio(axes: Axes, edges: Array, panel: Mapping[str, Any]) -> None:
    total = np.asarray(panel["total"], dtype=np.float64)
    band = ratio_to(panel["total_sigma"], total)
    known = np.nan_to_num(band)
    axes.stairs(1.0 + known, edges, baseline=1.0 - known, fill=True, **_BAND)
    axes.axhline(1.0, color="black", lw=0.7)
    half = _RATIO_RANGES[1]
    if panel["data"] is not None:
        counts = np.asarray(panel["data"], dtype=np.float64)
        low, high = poisson_interval(counts)
        points = ratio_to(counts, total)
        distances = np.abs(points[np.isfinite(points)] - 1.0)
        furthest = max([*distances, min(float(known.max()), _RATIO_RANGES[-2])])
        half = next((size for size in _RATIO_RANGES if 1.15 * furthest <= size), _RATIO_RANGES[-1])
        centres = 0.5 * (edges[1:] + edges[:-1])
        axes.errorbar(
            centres, points, yerr=[points - ratio_to(low, total), ratio_to(high, total) - points],
            fmt="o", color="black", ms=3, lw=0.9,
        )  # fmt: skip
        mark_outside(axes, centres, points, (1.0 - half, 1.0 + half), "black")
    axes.set_ylim(1.0 - half, 1.0 + half)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylabel("Data / pred.", loc="center")
    axes.set_xlabel(with_unit(panel["label"], panel["unit"]))
