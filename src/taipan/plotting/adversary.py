"""The scan of the adversary's strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from taipan.plotting.style import CYCLE, add_header, house_style, inch_margins, new_figure

_LABELS = {
    "tail_ratio": "Data / simulation above {:g} % signal",
    "adversary_auc": "AUC of a fresh adversary",
}
_AGREEMENT = {"tail_ratio": 1.0, "adversary_auc": 0.5}


@house_style()
def area_figure(choice: Mapping[str, Any], header: Mapping[str, Any]) -> Figure:
    """Draw the AUC of every training against what is left between data and simulation.

    Parameters
    ----------
    choice
        Of :func:`~taipan.adversary_scan.choose_strength`.
    header
        ``label``, ``luminosity`` in fb⁻¹, ``energy`` in TeV.
    """
    figure = new_figure(9.0, 4.0)
    axes = figure.subplots(1, 2, sharey=True, gridspec_kw=inch_margins(figure, 0.8, 0.3, 0.6, 0.4))
    for panel, key in zip(axes, _LABELS, strict=True):
        panel.axvline(_AGREEMENT[key], color="#555555", lw=0.8)
        for index, row in enumerate(choice["strengths"]):
            pairs = zip(row[key]["values"], row["auc"]["values"], strict=True)
            known = [(x, y) for x, y in pairs if x is not None]
            if not known:
                continue
            chosen = row["strength"] == choice["chosen"]
            panel.plot(
                *zip(*known, strict=True),
                marker="os^vDPX*"[index % 8],
                ls="none",
                color=CYCLE[index % len(CYCLE)],
                ms=5,
                label=f"λ = {row['strength']:g}" + (" (chosen)" if chosen else ""),
            )
        panel.set_xlabel(_LABELS[key].format(100.0 * choice["efficiency"]))
    axes[0].set_ylabel("AUC (signal against background)")
    axes[0].legend(fontsize=8)
    add_header(axes[0], axes[-1], header)
    return figure


@house_style()
def sigma_figure(choice: Mapping[str, Any], header: Mapping[str, Any]) -> Figure:
    """Draw the expected σ(μ) of every λ: mean and spread over the seeds; arguments as above."""
    figure = new_figure(6.0, 4.2)
    axes = figure.subplots(gridspec_kw=inch_margins(figure, 0.8, 0.3, 0.6, 0.4))
    rows = choice["strengths"]
    places = np.arange(len(rows))
    for offset, key, label in (
        (-0.06, "sigma_mu", "with the control residual"),
        (0.06, "sigma_mu_without_residual", "without"),
    ):
        colour = CYCLE[0] if key == "sigma_mu" else CYCLE[4]
        means = [row[key]["mean"] for row in rows]
        spreads = [row[key]["spread"] or 0.0 for row in rows]
        axes.errorbar(
            places + offset, means, yerr=spreads, fmt="o", color=colour, capsize=3, label=label
        )
        for place, row in zip(places, rows, strict=True):
            values = row[key]["values"]
            axes.plot(np.full(len(values), place + offset), values, "_", color=colour, ms=8)
    chosen = [row["strength"] for row in rows].index(choice["chosen"])
    axes.axvspan(chosen - 0.3, chosen + 0.3, color="#dddddd", alpha=0.5, lw=0, label="chosen")
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.set_xticks(places, [f"{row['strength']:g}" for row in rows])
    axes.set_xlabel("λ")
    axes.set_ylabel("Expected σ(μ)")
    axes.legend(fontsize=8)
    add_header(axes, axes, header)
    return figure


def judged_before_and_after(
    points: Sequence[Mapping[str, Any]], choice: Mapping[str, Any]
) -> dict[str, Any]:
    """Give what the judge found of the smallest and of the chosen λ, at the first seed.

    If the smallest is chosen, the best of the others takes the place of the second.

    Returns
    -------
    dict
        As of `check_decorrelation`: ``regions`` and ``networks``, one for each of the λ.
    """
    first = choice["strengths"][0]
    others = sorted(choice["strengths"][1:], key=lambda row: float(row["sigma_mu"]["mean"]))
    second = [row["strength"] for row in others[:1]]
    if choice["chosen"] != first["strength"]:
        second = [choice["chosen"]]
    chosen = {}
    for strength in [first["strength"], *second]:
        (chosen[strength],) = [
            item
            for item in points
            if item["strength"] == strength and item["seed"] == first["seeds"][0]
        ]
    return {
        "regions": next(iter(chosen.values()))["compared"],
        "networks": {f"λ = {key:g}": item["judge"] for key, item in chosen.items()},
    }
