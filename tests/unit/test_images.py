"""Figures of made-up numbers, compared with images that somebody has looked at.

`pytest tests/unit/test_images.py --update-images` draws them anew. The tolerance is the root mean
square of the difference of pixels, of 255. The same matplotlib gives 0; the tolerance is for
other rounding of edges on another processor. A word that is missing in a legend is 2.7.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from taipan.own_style import own_style
from taipan.plotting.control import control_figure
from taipan.plotting.fit import fit_figure
from taipan.plotting.inference import impact_figure
from taipan.plotting.parameters import breakdown_figure
from taipan.plotting.slides import checks_figure, title_figure
from taipan.plotting.style import house_style, make_printable
from taipan.plotting.tuning import trials_figure

IMAGES = Path(__file__).parents[1] / "images"
TOLERANCE = 1.0
DPI = 55
OWN_FONTS = "font.sans-serif: DejaVu Sans\nmathtext.fontset: dejavusans\n"
"""Fonts that are part of matplotlib: those of the machine do not matter."""

HEADER = {"label": "Toy simulation", "luminosity": 2.0, "energy": 8.0}
SAMPLES = {
    "S": {"label": "Signal", "colour": "#e42536", "role": "signal"},
    "Q": {"label": "QCD", "colour": "#e1b5c5", "role": "background"},
    "Z": {"label": "Z→ττ", "colour": "#ffd166", "role": "background"},
}


def panel(**changes: Any) -> dict[str, Any]:
    """Four bins, one of them with a negative estimate; data above and below the prediction."""
    samples = {
        "S": [1.0, 3.0, 2.0, 0.5],
        "Q": [40.0, 20.0, -3.0, 1.0],
        "Z": [60.0, 90.0, 50.0, 9.0],
    }
    total = np.sum(list(samples.values()), axis=0)
    return {
        "label": "$m_{vis}$", "unit": "GeV", "edges": [0.0, 20.0, 40.0, 80.0, 200.0],
        "samples": samples, "total": total.tolist(), "total_stat": (0.04 * total).tolist(),
        "total_sigma": (0.1 * total).tolist(), "data": [110.0, 101.0, 55.0, 3.0], **changes,
    }  # fmt: skip


def draw_control() -> Figure:
    other = panel(quantity="x", label="Jets", unit="", edges=[-0.5, 0.5, 1.5, 2.5, 3.5])
    outside = {"outside": {"prediction": 12.0, "data": 9.0}}
    return control_figure(
        {
            "header": HEADER, "region": {"name": "signal", "label": "OS"}, "samples": SAMPLES,
            "signals": "auto", "in_band": ["luminosity"], "not_in_band": ["residual"],
            "not_estimated": "Q", "panels": [{**panel(), **outside}, {**other, **outside}],
        }
    )  # fmt: skip


def draw_fit(stage: str, signals: str) -> Figure:
    common = {"signal": [1.0, 3.0, 2.0, 0.5], "single_bin": False, "region": "signal"}
    first = panel(**common, region_label="OS, $m_T$ < 30 GeV", edges_hold_outside=True)
    single = {name: [float(np.sum(values))] for name, values in first["samples"].items()}
    total = float(np.sum(first["total"]))
    second = panel(
        **{**common, "single_bin": True, "signal": [6.5]}, region_label="Control",
        edges_hold_outside=False, edges=[0.0, 1.0], samples=single, total=[total],
        total_sigma=[0.05 * total], data=[260.0], label="", unit="",
    )  # fmt: skip
    return fit_figure(
        {
            "header": HEADER, "observable": "m_vis", "stage": stage, "kind": "observed",
            "poi": "mu", "mu": 1.2, "mu_sigma": 0.4, "samples": SAMPLES, "signals": signals,
            "panels": [first, second],
        }
    )  # fmt: skip


def draw_impacts() -> Figure:
    row = {"prefit": [0.3, -0.25], "postfit": [0.2, -0.2], "value": 0.1, "sigma": 0.9}
    free = dict.fromkeys(("prefit", "pull", "constraint"))
    rows = [
        {**row, "name": "tau_energy_scale", "pull": 0.4, "constraint": 0.6},
        {**row, **free, "name": "sigma_ztt", "unit": "pb"},
        {**row, "name": "luminosity", "postfit": [-0.1, 0.12], "pull": -0.2, "constraint": 1.0},
    ]
    return impact_figure({"header": HEADER, "poi": "mu", "mode": "observed", "rows": rows})


def draw_breakdown() -> Figure:
    parts = {"theory": 4.0, "experimental": 3.0, "statistical": 3.0}
    numbers = {"observable": "m", "kind": "observed", "poi": "mu", "total": 5.8, "parts": parts}
    return breakdown_figure({"header": HEADER, **numbers})


def draw_trials() -> Figure:
    found = [(0.165, "relu", 64, 0.2), (0.161, "gelu", 128, 0.4), (None, "gelu", 32, 0.1)]
    trials = [
        {"trial": i, "objective": value, "values": {"activation": a, "units": n, "dropout": d}}
        for i, (value, a, n, d) in enumerate(found)
    ]
    return trials_figure({"header": HEADER, "objective": "brier", "best": 1, "trials": trials})


SLIDES = {
    "title": "H→ττ at 8 TeV",
    "about": "demo on toys, 2 fb$^{-1}$",
    "sentences": ["What was measured: μ̂ = 1.20 ± 0.40.", "Can I trust it? " + "A check. " * 20],
    "gates": {"check_weights": True, "check_overtraining": False},
    "warnings": ["signal: bins 3-4 merged"],
}
DRAWN: dict[str, Callable[[], Figure]] = {
    "breakdown": draw_breakdown,
    "control": draw_control,
    "impacts": draw_impacts,
    "postfit": lambda: draw_fit("postfit", "auto"),
    "prefit_stacked": lambda: draw_fit("prefit", "stack"),
    "slides_checks": lambda: checks_figure(SLIDES),
    "slides_title": lambda: title_figure(SLIDES),
    "trials": draw_trials,
}


def save(name: str, path: Path) -> None:
    with own_style(OWN_FONTS):
        figure = DRAWN[name]()
        with house_style():
            make_printable(figure)
            figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})


@pytest.mark.parametrize("name", DRAWN)
def test_figure_looks_as_it_did(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    expected, found = IMAGES / f"{name}.png", tmp_path / f"{name}.png"
    if request.config.getoption("--update-images"):
        save(name, expected)
        return
    save(name, found)
    assert compare_images(str(expected), str(found), TOLERANCE) is None


def test_a_missing_entry_of_a_legend_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAMPLES["Q"], "label", "")
    save("postfit", tmp_path / "postfit.png")
    changed = compare_images(
        str(IMAGES / "postfit.png"), str(tmp_path / "postfit.png"), TOLERANCE, in_decorator=True
    )
    assert changed is not None
    assert changed["rms"] > 2 * TOLERANCE


def test_images_are_small_and_of_figures_that_are_drawn() -> None:
    files = sorted(IMAGES.glob("*.png"))
    assert [path.stem for path in files] == sorted(DRAWN)
    assert sum(path.stat().st_size for path in files) < 300_000
