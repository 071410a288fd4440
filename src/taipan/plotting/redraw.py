"""Which function draws a figure, by its name: for drawing it again from its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from taipan.errors import TaipanError
from taipan.plotting.confusion import confusion_figure
from taipan.plotting.contours import contour_figure
from taipan.plotting.control import control_figure
from taipan.plotting.cutflow import cutflow_figure
from taipan.plotting.decorrelation import region_scores_figure, tail_figure
from taipan.plotting.estimates import estimate_figure
from taipan.plotting.explaining import (
    activity_figure,
    attributions_figure,
    importances_figure,
    pruning_figure,
)
from taipan.plotting.fit import fit_figure
from taipan.plotting.inference import coverage_figure, impact_figure, scan_figure
from taipan.plotting.parameters import breakdown_figure, correlation_figure, pull_figure
from taipan.plotting.shifts import shift_figure
from taipan.plotting.spectra import spectrum_figure
from taipan.plotting.systematics import systematic_figure
from taipan.plotting.training import learning_figure, roc_figure, score_figure
from taipan.plotting.tuning import bar_figure, trials_figure
from taipan.plotting.weights import closure_figure, distribution_figure, fraction_figure

Numbers = Mapping[str, Any]


def _importance(numbers: Numbers) -> Figure:
    label = "Loss of AUC of held-out events when shuffled"
    return bar_figure(numbers["importance"], numbers["header"], label, "Inputs")


def _tuning(numbers: Numbers) -> Figure:
    label = "Share of the variance of the objective"
    return bar_figure(numbers["importance"], numbers["header"], label, "Hyperparameters")


DRAWN_BY: Mapping[str, Callable[[Numbers], Figure]] = {
    "activity": activity_figure,
    "attributions": attributions_figure,
    "breakdown": breakdown_figure,
    "confusion": confusion_figure,
    "contours": contour_figure,
    "control": control_figure,
    "correlation": correlation_figure,
    "coverage": coverage_figure,
    "cutflow": cutflow_figure,
    "decorrelation_scores": lambda numbers: region_scores_figure({"scores": numbers}),
    "decorrelation_tails": lambda numbers: tail_figure({"tails": numbers}),
    "estimates": estimate_figure,
    "impacts": impact_figure,
    "importance": _importance,
    "importances": importances_figure,
    "learning_curves": learning_figure,
    "negative_fraction": fraction_figure,
    "postfit": fit_figure,
    "prefit": fit_figure,
    "profile": scan_figure,
    "pruning": pruning_figure,
    "pulls": pull_figure,
    "roc": roc_figure,
    "scan": scan_figure,
    "score": score_figure,
    "shifts": shift_figure,
    "spectra": spectrum_figure,
    "systematics": systematic_figure,
    "tuning_importance": _tuning,
    "tuning_trials": trials_figure,
    "weight_closure": closure_figure,
    "weights": distribution_figure,
}
"""Name of a figure, without what it is of → what draws it from its numbers."""


def draw_again(name: str, numbers: Numbers) -> Figure:
    """Draw a figure of a run from its numbers.

    Parameters
    ----------
    name
        Name of its file without ending, such as ``postfit_nn_score``.
    numbers
        Content of the JSON file beside it.

    Raises
    ------
    TaipanError
        If no figure has such a name, or the numbers are not those of it.
    """
    known = [key for key in DRAWN_BY if name == key or name.startswith(f"{key}_")]
    if not known:
        raise TaipanError(f"'{name}' is not the name of a figure ({', '.join(DRAWN_BY)})")
    try:
        return DRAWN_BY[max(known, key=len)](numbers)
    except (KeyError, TypeError, IndexError) as error:
        raise TaipanError(f"{name}: not the numbers of this figure ({error!r})") from error
