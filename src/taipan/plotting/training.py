"""The k-fold network: learning curves, score of training and held-out events, ROC curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from taipan.metrics.registry import EPOCH_METRICS
from taipan.plotting.stack import mark_outside, ratio_to
from taipan.plotting.style import CYCLE, add_header, house_style, inch_margins, new_figure

Array = NDArray[np.float64]

_COLOURS = {"background": "#3f66c9", "signal": "#c91f37"}
_RATIO_LIMITS = (0.0, 2.0)
_LEGEND_COLUMNS = 8
_PARTS = {"train": "training", "held_out": "held out"}


def learning_numbers(record: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the learning curves: the metric that stops the training, and the AUC.

    Parameters
    ----------
    record
        Training record (``docs/training.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``metrics`` (the two names), ``classes`` if they have names, and ``networks``: fold,
        number in it, best epoch, and for each metric the values of the training and validation
        events in each epoch.
    """
    metrics = [record["settings"]["early_stopping_metric"].removeprefix("bounded_"), "auc"]
    return {
        "header": dict(header),
        **({"classes": list(record["classes"])} if "classes" in record else {}),
        "metrics": metrics,
        "networks": [
            {
                "fold": network["fold"],
                "network": network["network"],
                "best_epoch": network["best_epoch"],
                "history": {
                    metric: {
                        part: network["history"][f"{part}_{metric}"]
                        for part in ("train", "validation")
                    }
                    for metric in metrics
                },
            }
            for network in record["networks"]
        ],
    }


@house_style()
def learning_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the metrics against the epoch, a colour a fold, with the best epoch of each.

    Parameters
    ----------
    numbers
        Of :func:`learning_numbers`.
    """
    metrics, networks = numbers["metrics"], numbers["networks"]
    colours = {
        fold: CYCLE[i % len(CYCLE)]
        for i, fold in enumerate(dict.fromkeys(network["fold"] for network in networks))
    }
    above = 0.45 + 0.2 * -(-(len(colours) + 3) // _LEGEND_COLUMNS)
    figure = new_figure(5.0 * len(metrics), 3.8 + above)
    grid = figure.add_gridspec(
        1, len(metrics), wspace=0.25, **inch_margins(figure, 0.75, 0.2, 0.6, above)
    )
    axes = [figure.add_subplot(cell) for cell in grid]
    for place, metric in zip(axes, metrics, strict=True):
        for network in networks:
            colour = colours[network["fold"]]
            curves = network["history"][metric]
            epochs = np.arange(1, len(curves["train"]) + 1)
            place.plot(epochs, curves["train"], "--", color=colour, lw=0.8)
            place.plot(epochs, curves["validation"], color=colour)
            best = network["best_epoch"]
            place.plot(best + 1, curves["validation"][best], "o", color=colour, ms=6, mec="black")
        place.set_xlabel("Epoch")
        place.xaxis.set_major_locator(MaxNLocator(integer=True))
        described = EPOCH_METRICS[metric]
        several = "classes" in numbers
        place.set_ylabel(described.label_of_classes if several else described.label)
    folds = [
        Line2D([], [], color=colour, lw=2, label=f"Fold {fold}") for fold, colour in colours.items()
    ]
    lines = [
        Line2D([], [], color="black", label="Validation"),
        Line2D([], [], color="black", ls="--", lw=0.8, label="Training"),
        Line2D([], [], color="white", marker="o", mec="black", label="Best epoch"),
    ]
    figure.legend(
        handles=[*lines, *folds],
        loc="upper right",
        ncols=_LEGEND_COLUMNS,
        borderpad=0.3,
        columnspacing=1.0,
    )
    add_header(axes[0], axes[-1], numbers["header"], "Learning curves")
    return figure


def score_numbers(verdict: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Average the score distributions of the networks, each normalised to one.

    The held-out events of different folds are disjoint, so their variances add; the training
    events are shared, so the mean of their σ is used.

    Parameters
    ----------
    verdict
        Verdict of the overtraining gate (``docs/training.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``edges`` (n + 1); ``scores``: class → ``train`` and ``held_out`` → ``values`` and
        ``sigma`` (n); ``smallest_ks`` and ``smallest_chi2``: class → smallest probability of a
        fold; ``largest_gap``: gap and σ of the AUC of the fold where it is largest.
    """
    folds = verdict["folds"]
    classes = list(folds[0]["histograms"])
    return {
        "header": dict(header),
        "edges": verdict["edges"],
        "passed": verdict["passed"],
        "scores": {
            name: {
                part: _average([fold["histograms"][name][part] for fold in folds], part)
                for part in _PARTS
            }
            for name in classes
        },
        "smallest_ks": {name: _smallest(verdict, f"ks_probability_{name}") for name in classes},
        "smallest_chi2": {name: _smallest(verdict, f"chi2_probability_{name}") for name in classes},
        "largest_gap": max(
            (_gap(fold["auc"]["train"], fold["auc"]["held_out"]) for fold in folds),
            key=lambda gap: gap["value"],
        ),
    }


def _smallest(verdict: Mapping[str, Any], name: str) -> float:
    return min(float(c["value"]) for c in verdict["conditions"] if c["name"] == name)


def _gap(train: Mapping[str, float], held_out: Mapping[str, float]) -> dict[str, float]:
    return {
        "value": train["value"] - held_out["value"],
        "sigma": float(np.hypot(train["sigma"], held_out["sigma"])),
    }


def _average(histograms: Sequence[Mapping[str, Any]], part: str) -> dict[str, list[float]]:
    variances = np.array([item["sumw2"] for item in histograms])
    shared = np.mean(np.sqrt(variances), axis=0)
    disjoint = np.sqrt(variances.sum(axis=0)) / len(histograms)
    return {
        "values": np.mean([item["sumw"] for item in histograms], axis=0).tolist(),
        "sigma": (shared if part == "train" else disjoint).tolist(),
    }


@house_style()
def score_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the score of training (filled) and held-out events (points), and their ratio.

    Parameters
    ----------
    numbers
        Of :func:`score_numbers`.
    """
    edges = np.asarray(numbers["edges"])
    centres = 0.5 * (edges[1:] + edges[:-1])
    figure = new_figure(5.6, 5.8)
    grid = figure.add_gridspec(
        2, 1, height_ratios=(3, 1.2), hspace=0.06, **inch_margins(figure, 0.75, 0.2, 0.6, 0.85)
    )
    main, ratio = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    handles: list[Any] = []
    named = set(numbers["scores"]) != set(_COLOURS)
    colours = dict(zip(numbers["scores"], CYCLE * len(numbers["scores"]), strict=False))
    for offset, (name, parts) in enumerate(numbers["scores"].items()):
        colour = colours[name] if named else _COLOURS[name]
        title = name if named else name.capitalize()
        train, held_out = parts["train"], parts["held_out"]
        _draw_train(main, edges, train, colour)
        # the classes' points are set apart so that their error bars can be told apart
        places = centres + (offset - 0.5) * 0.15 * np.diff(edges)
        _points(main, places, held_out["values"], held_out["sigma"], colour)
        values = ratio_to(held_out["values"], train["values"])
        error = np.abs(values) * np.hypot(
            np.nan_to_num(ratio_to(held_out["sigma"], np.abs(held_out["values"]))),
            np.nan_to_num(ratio_to(train["sigma"], np.abs(train["values"]))),
        )
        _points(ratio, places, values, error, colour)
        mark_outside(ratio, places, values, _RATIO_LIMITS, colour)
        handles += [
            Patch(facecolor=colour, alpha=0.3, label=f"{title}, training"),
            Line2D([], [], color=colour, marker="o", ms=4, label=f"{title}, held out"),
        ]
    main.set_ylabel("Fraction of Σw / bin, mean of the folds")
    main.tick_params(labelbottom=False)
    main.set_ylim(top=1.35 * main.get_ylim()[1])
    lines = ["Smallest probability of a fold:"]
    for key, name in (("smallest_ks", "KS"), ("smallest_chi2", "χ²")):
        found = ", ".join(f"{label} {value:.2g}" for label, value in numbers[key].items())
        lines.append(f"{name}: {found}")
    gap = numbers["largest_gap"]
    lines.append(f"Largest AUC gap: {gap['value']:.4f} ± {gap['sigma']:.4f}")
    main.text(
        0.97,
        0.96,
        "\n".join(lines),
        va="top",
        ha="right",
        transform=main.transAxes,
        size=8,
    )
    ratio.axhline(1.0, color="black", lw=0.7)
    ratio.set_ylim(*_RATIO_LIMITS)
    ratio.set_ylabel("Held out / train.", loc="center")
    ratio.set_xlabel("Score of the class of the event" if named else "Network score")
    for axes in (main, ratio):
        axes.set_xlim(edges[0], edges[-1])
    figure.legend(handles=handles, loc="upper right", ncols=2, borderpad=0.3)
    add_header(main, main, numbers["header"])
    return figure


def _draw_train(axes: Axes, edges: Array, train: Mapping[str, Any], colour: str) -> None:
    values, sigma = np.asarray(train["values"]), np.asarray(train["sigma"])
    axes.stairs(values, edges, fill=True, color=colour, alpha=0.2, lw=0)
    axes.stairs(values, edges, color=colour, lw=0.9)
    axes.stairs(
        values + sigma,
        edges,
        baseline=values - sigma,
        fill=True,
        facecolor="none",
        edgecolor=colour,
        hatch="//////",
        lw=0,
    )


def _points(axes: Axes, places: Array, values: Any, sigma: Any, colour: str) -> None:
    axes.errorbar(places, values, yerr=sigma, fmt="o", color=colour, ms=3, lw=0.9)


def roc_numbers(
    verdict: Mapping[str, Any], header: Mapping[str, Any], of_class: str = ""
) -> dict[str, Any]:
    """Collect the ROC curves of the networks.

    Parameters
    ----------
    verdict
        Verdict of the overtraining gate (``docs/training.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    of_class
        Class with a name, against all others; by default the signal against the background.

    Returns
    -------
    dict
        ``signal_efficiency`` (n); for ``train`` and ``held_out`` the mean, smallest and largest
        ``background_rejection`` (1 - efficiency) of the folds, their mean ``auc`` and its
        standard deviation between the folds.
    """
    folds = [fold["classes"][of_class] if of_class else fold for fold in verdict["folds"]]
    parts = {}
    for part in _PARTS:
        rejection = 1.0 - np.array([fold["roc"][part]["background_efficiency"] for fold in folds])
        areas = [fold["auc"][part]["value"] for fold in folds]
        parts[part] = {
            "mean": rejection.mean(axis=0).tolist(),
            "low": rejection.min(axis=0).tolist(),
            "high": rejection.max(axis=0).tolist(),
            "auc": float(np.mean(areas)),
            "auc_spread": float(np.std(areas, ddof=1)),
        }
    return {
        "header": dict(header),
        **({"class": of_class} if of_class else {}),
        "signal_efficiency": folds[0]["roc"]["train"]["signal_efficiency"],
        "background_rejection": parts,
    }


@house_style()
def roc_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw background rejection against signal efficiency, with the spread of the folds.

    Parameters
    ----------
    numbers
        Of :func:`roc_numbers`.
    """
    efficiency = numbers["signal_efficiency"]
    figure = new_figure(5.4, 5.4)
    grid = figure.add_gridspec(1, 1, **inch_margins(figure, 0.75, 0.2, 0.6, 0.4))
    axes = figure.add_subplot(grid[0])
    axes.plot([0, 1], [1, 0], ":", color="grey", lw=0.9, label="No separation")
    for (part, name), colour, line in zip(
        _PARTS.items(), ("#9c9ca1", "#3f66c9"), ("--", "-"), strict=True
    ):
        item = numbers["background_rejection"][part]
        axes.fill_between(efficiency, item["low"], item["high"], color=colour, alpha=0.3, lw=0)
        axes.plot(
            efficiency,
            item["mean"],
            line,
            color=colour,
            label=f"{name.capitalize()}, AUC {item['auc']:.3f} ± {item['auc_spread']:.3f}",
        )
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.02)
    of_class = numbers.get("class")
    axes.set_xlabel(f"Efficiency of class {of_class}" if of_class else "Signal efficiency")
    rejected = "Rejection of the others" if of_class else "Background rejection"
    axes.set_ylabel(f"{rejected}, 1 − efficiency")
    axes.legend(loc="lower left", title="Mean and range of the folds", alignment="left")
    add_header(axes, axes, numbers["header"])
    return figure
