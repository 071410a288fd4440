"""Draw the training: learning curves, score distributions and ROC curve."""

from __future__ import annotations

from typing import Any

from taipan.atomic import read_json
from taipan.jobs.figures import Figure, FigureFiles
from taipan.plotting.confusion import confusion_figure, confusion_numbers
from taipan.plotting.style import save_figure
from taipan.plotting.training import (
    learning_figure,
    learning_numbers,
    roc_figure,
    roc_numbers,
    score_figure,
    score_numbers,
)

FIGURES = (
    Figure("learning_curves", "Training", "training"),
    Figure("score", "Training"),
    Figure("roc", "Training"),
    Figure("roc_{class}", "Training", "roc"),
    Figure("confusion_{part}", "Training"),
)


def plot_training(record: str, verdict: str, header: dict[str, Any], figures: FigureFiles) -> None:
    """Write the figures `learning_curves`, `score` and `roc`; of classes with names further ones.

    Parameters
    ----------
    record
        JSON file of the rule ``train``.
    verdict
        JSON file of the rule ``check_overtraining``.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    figures
        Files of each figure.
    """
    curves = learning_numbers(read_json(record), header)
    save_figure(learning_figure(curves), figures["learning_curves"], curves)
    checked = read_json(verdict)
    scores = score_numbers(checked, header)
    save_figure(score_figure(scores), figures["score"], scores)
    roc = roc_numbers(checked, header)
    save_figure(roc_figure(roc), figures["roc"], roc)
    classes = list(checked["folds"][0].get("classes", {}))
    for name in classes:
        of_class = roc_numbers(checked, header, name)
        save_figure(roc_figure(of_class), figures[f"roc_{name}"], of_class)
    if classes:
        confusion = confusion_numbers(checked, header)
        place = figures["_".join(("confusion", "held_out"))]
        save_figure(confusion_figure(confusion), place, confusion)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(plot_training)
