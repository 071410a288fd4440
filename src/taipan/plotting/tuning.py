"""The search for hyperparameters and the ranking of inputs."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from taipan.config.sections.tuning import HYPERPARAMETERS
from taipan.errors import TaipanError
from taipan.metrics.registry import EPOCH_METRICS
from taipan.plotting.style import (
    add_header,
    house_style,
    inch_margins,
    new_figure,
    room_for_names,
)
from taipan.search.importance import Value

Array = NDArray[np.float64]

_LOGARITHMIC = ("l2", "learning_rate", "batch_size", "units")
_LABELS = {
    **{name: metric.label for name, metric in EPOCH_METRICS.items()},
    "sigma_mu": "Expected σ(μ)",
}
_BOOTSTRAPS = 200
_REJECTED = "#9c9ca1"


def tuning_numbers(
    trials: Path | str, best: Mapping[str, Any], header: Mapping[str, Any]
) -> dict[str, Any]:
    """Collect the trials of a search and how much of the objective each hyperparameter explains.

    The importance is the share of the variance of the objective over the trials that a
    hyperparameter explains alone, adjusted for the number of its parameters (adjusted R², at
    least 0): group means for choices, a parabola for a range. Its error is the standard deviation
    over bootstrap samples of the trials. With few trials it is a hint at most.

    Parameters
    ----------
    trials, best
        ``trials.csv`` and the content of ``best_hps.json`` (``docs/training.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.

    Returns
    -------
    dict
        ``objective``, ``best`` (number of the trial), ``trials`` (number, objective or None if
        rejected, values) and ``importance``: name → value and sigma.

    Raises
    ------
    TaipanError
        If the file of trials cannot be read.
    """
    try:
        text = Path(trials).read_text(encoding="utf-8")
    except OSError as error:
        raise TaipanError(f"cannot read {trials}: {error.strerror}") from error
    rows = list(csv.DictReader(text.splitlines()))
    varied = [
        name
        for name in HYPERPARAMETERS
        if rows and name in rows[0] and len({row[name] for row in rows}) > 1
    ]
    found = [
        {
            "trial": int(row["trial"]),
            "objective": float(row["objective"]) if row["status"] == "completed" else None,
            "values": {name: _parse(row[name]) for name in varied},
        }
        for row in rows
    ]
    return {
        "header": dict(header),
        "objective": best["objective"],
        "best": best["trial"],
        "trials": found,
        "importance": _importances(found, varied),
    }


def _parse(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _importances(
    trials: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, dict[str, float]]:
    completed = [item for item in trials if item["objective"] is not None]
    objective = np.array([item["objective"] for item in completed])
    generator = np.random.default_rng(0)
    samples = generator.integers(0, len(completed), (_BOOTSTRAPS, len(completed)))
    found = {}
    for name in names:
        terms = _terms([item["values"][name] for item in completed], name)
        spread = [_explained(terms[rows], objective[rows]) for rows in samples]
        found[name] = {"value": _explained(terms, objective), "sigma": float(np.std(spread))}
    return found


def _terms(values: Sequence[float | str], name: str) -> Array:
    """Columns of a linear model of one hyperparameter, shape (trials, parameters)."""
    if name in ("dropout", "l2", "learning_rate"):
        x = np.array(values, dtype=np.float64)
        x = np.log(x) if name in _LOGARITHMIC else x
        return np.stack([np.ones_like(x), x, x**2], axis=1)
    known = sorted(set(values), key=str)
    return np.array([[float(value == other) for other in known] for value in values])


def _explained(terms: Array, objective: Array) -> float:
    """Give the adjusted R² of a linear model, 0 if it cannot be measured."""
    n, spread = len(objective), float(np.sum((objective - objective.mean()) ** 2))
    solution, _, rank, _ = np.linalg.lstsq(terms, objective)
    if n <= rank or spread == 0.0:
        return 0.0
    residual = float(np.sum((objective - terms @ solution) ** 2))
    return max(0.0, 1.0 - residual / spread * (n - 1) / (n - int(rank)))


@house_style()
def trials_figure(numbers: Mapping[str, Any]) -> Figure:
    """Draw the trials as lines through parallel axes, the best one thick, rejected ones dashed.

    Parameters
    ----------
    numbers
        Of :func:`tuning_numbers`.
    """
    trials = numbers["trials"]
    names = [*trials[0]["values"], "objective"] if trials else ["objective"]
    objective = [item["objective"] for item in trials if item["objective"] is not None]
    colours = ScalarMappable(Normalize(min(objective), max(objective)), mpl.colormaps["viridis"])
    figure = new_figure(max(6.0, 1.35 * len(names)), 5.1)
    grid = figure.add_gridspec(1, 1, **inch_margins(figure, 0.5, 0.8, 1.05, 0.4))
    axes = figure.add_subplot(grid[0])
    columns = [_axis([_value(item, name) for item in trials], name) for name in names]
    for index, item in enumerate(trials):
        places = [column[0][index] for column in columns]
        rejected, best = item["objective"] is None, item["trial"] == numbers["best"]
        axes.plot(
            range(len(names)),
            places,
            "--" if rejected else "-",
            lw=2.8 if best else 1.0,
            color=_REJECTED if rejected else colours.to_rgba(item["objective"]),
            zorder=3 if best else 2,
            alpha=1.0 if best else 0.75,
        )
    for index, (_, ticks) in enumerate(columns):
        axes.axvline(index, color="black", lw=0.7, zorder=1)
        for place, text in ticks:
            axes.annotate(
                text,
                (index, place),
                (4, 3),  # above a line that goes on from here, not under it
                textcoords="offset points",
                size=8,
                va="bottom",
                bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
                zorder=4,
            )
    axes.set_xlim(-0.1, len(names) - 0.5)
    axes.set_ylim(-0.05, 1.08)
    label = _LABELS.get(numbers["objective"], numbers["objective"])
    shown = [*(name.replace("_", "\n") for name in names[:-1]), label.replace(" ", "\n")]
    axes.set_xticks(range(len(names)), shown)
    axes.set_yticks([])
    axes.minorticks_off()
    for side in axes.spines.values():
        side.set_visible(False)
    figure.legend(
        handles=_explain_lines(any(item["objective"] is None for item in trials)),
        loc="lower center", ncols=3, borderpad=0.2,
    )  # fmt: skip
    add_header(axes, axes, numbers["header"], f"Search, {len(trials)} trials")
    return figure


def _explain_lines(has_rejected: bool) -> list[Line2D]:
    colours = mpl.colormaps["viridis"]
    handles = [
        Line2D([], [], color=colours(0.0), lw=2.8, label="Best trial"),
        Line2D([], [], color=colours(0.5), lw=1.0, label="Others, colour of the last axis"),
    ]
    rejected = Line2D([], [], color=_REJECTED, lw=1.0, ls="--", label="Rejected")
    return [*handles, rejected] if has_rejected else handles


def _value(item: Mapping[str, Any], name: str) -> Any:
    return item["objective"] if name == "objective" else item["values"][name]


def _axis(values: Sequence[Any], name: str) -> tuple[list[float], list[tuple[float, str]]]:
    """Places in [0, 1] (NaN for a rejected objective) and labelled ticks of one axis."""
    if any(isinstance(value, str) for value in values):
        known = sorted({str(value) for value in values})
        scale = {value: i / max(len(known) - 1, 1) for i, value in enumerate(known)}
        return [scale[str(v)] for v in values], [(place, text) for text, place in scale.items()]
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    transformed = np.log(numbers) if name in _LOGARITHMIC else numbers
    low, high = np.nanmin(transformed), np.nanmax(transformed)
    places = (transformed - low) / (high - low if high > low else 1.0)
    shown = sorted(set(numbers[np.isfinite(numbers)]))
    if len(shown) > 4:
        shown = [shown[0], shown[-1]]
    ticks = [(float(places[numbers == value][0]), f"{value:.4g}") for value in shown]
    return places.tolist(), ticks


@house_style()
def bar_figure(
    values: Mapping[str, Mapping[str, float]], header: Mapping[str, Any], label: str, title: str
) -> Figure:
    """Draw values with errors as horizontal bars, the largest on top.

    Parameters
    ----------
    values
        Name → ``value`` and ``sigma``.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    label, title
        Axis label; title of the figure.
    """
    names = sorted(values, key=lambda name: values[name]["value"])
    room = room_for_names(names, 1.3)
    figure = new_figure(4.7 + room, 1.5 + 0.24 * len(names))
    grid = figure.add_gridspec(1, 1, **inch_margins(figure, room, 0.2, 0.6, 0.4))
    axes = figure.add_subplot(grid[0])
    axes.barh(
        range(len(names)),
        [values[name]["value"] for name in names],
        color="#3f66c9",
        alpha=0.4,
        xerr=[values[name]["sigma"] for name in names],
        ecolor="black",
        error_kw={"lw": 0.9},
    )
    axes.axvline(0.0, color="black", lw=0.7)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel(label)
    add_header(axes, axes, header, title)
    return figure


def importance_numbers(
    importance: Mapping[str, Value], repeats: int, header: Mapping[str, Any]
) -> dict[str, Any]:
    """Collect the permutation importance of the inputs.

    Returns
    -------
    dict
        ``importance``: feature → value and sigma (loss of AUC), and ``repeats``.
    """
    found = {key: {"value": item.mean, "sigma": item.sigma} for key, item in importance.items()}
    return {"header": dict(header), "repeats": repeats, "importance": found}


@house_style()
def selection_figure(selection: Mapping[str, Any], header: Mapping[str, Any]) -> Figure:
    """Draw the loss after each input that was dropped, and the set that is chosen.

    Parameters
    ----------
    selection
        Content of ``selection.json`` (``docs/training.md``).
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    """
    steps = selection["steps"]
    values = np.array([step["value"] for step in steps])
    sigma = np.array([step["sigma"] for step in steps])
    places = np.arange(len(steps))
    chosen = next(i for i, step in enumerate(steps) if step["kept"] == selection["chosen"])
    figure = new_figure(max(6.0, 1.4 + 0.3 * len(steps)), 4.8)
    grid = figure.add_gridspec(1, 1, **inch_margins(figure, 0.9, 0.2, 1.1, 0.4))
    axes = figure.add_subplot(grid[0])
    axes.errorbar(places, values, yerr=sigma, fmt="o-", color="#3f66c9", ms=4, lw=0.9)
    axes.plot(
        chosen,
        values[chosen],
        "o",
        ms=11,
        mfc="none",
        mec="#c91f37",
        mew=1.6,
        label=f"Chosen: {len(selection['chosen'])} inputs",
    )
    names = ["all", *(f"− {step['dropped']}" for step in steps[1:])]
    axes.set_xticks(places, names, rotation=90, size=9)
    axes.minorticks_off()
    axes.set_ylabel(f"{_LABELS[selection['metric']]}, validation")
    axes.legend(loc="upper left")
    add_header(axes, axes, header, "Backward elimination")
    return figure
