"""Templates like those of the H→ττ analysis, from closed formulae: the expectation is known."""

from __future__ import annotations

from typing import Any

import hist
import numpy as np

from taipan.config.model import Config

EDGES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97, 1.0]
# sample: (yield in signal, yield in w_control, density of the score ∝ exp(slope · score),
# events per unit of weight)
SAMPLES: dict[str, tuple[float, float, float, float]] = {
    "ggH": (130.0, 4.0, 3.5, 25.0),
    "qqH": (35.0, 2.0, 6.0, 40.0),
    "QCD": (9000.0, 600.0, -2.0, 0.8),
    "W": (14000.0, 22000.0, -3.0, 0.7),
    "TT": (1200.0, 2500.0, -1.0, 3.0),
    "ZLL": (7000.0, 500.0, -2.5, 0.6),
    "ZTT": (36000.0, 700.0, -1.5, 0.6),
}
KINEMATIC = {
    "tau_energy_scale": ["ggH", "qqH", "ZTT"],
    "muon_energy_scale": ["ggH", "qqH", "TT", "ZLL", "ZTT"],
    "jet_energy_scale": ["ggH", "qqH", "W", "TT", "ZLL", "ZTT"],
    "met_unclustered": ["ggH", "qqH", "W", "TT", "ZLL", "ZTT"],
}
RATES: dict[str, tuple[float, list[str]]] = {
    "luminosity": (0.026, ["ggH", "qqH", "TT", "ZLL", "ZTT"]),
    "tau_identification": (0.05, ["ggH", "qqH", "TT", "ZTT"]),
    "muon_identification": (0.02, ["ggH", "qqH", "TT", "ZLL", "ZTT"]),
    "trigger": (0.03, ["ggH", "qqH", "TT", "ZLL", "ZTT"]),
    "z_normalisation": (0.04, ["ZLL", "ZTT"]),
    "tau_fake_rate": (0.20, ["ZLL"]),
    "tt_normalisation": (0.10, ["TT"]),
    "ggh_pdf_alphas": (0.032, ["ggH"]),
    "qqh_scale": (0.003, ["qqH"]),
    "qqh_pdf_alphas": (0.022, ["qqH"]),
    "branching_ratio": (0.017, ["ggH", "qqH"]),
}
# simulated yield with equal charges over that with opposite charges, in both regions
SAME_SIGN = {"ggH": 0.02, "qqH": 0.02, "W": 0.3, "TT": 0.2, "ZLL": 0.5, "ZTT": 0.01}
TRANSFER: dict[str, float] = {"value": 1.06, "stat": 0.02, "relative_uncertainty": 0.06}

ESTIMATE = {
    "method": "same_sign",
    "regions": {"signal": "ss_signal", "w_control": "ss_w_control"},
    "numerator": "signal",
    "denominator": "ss_signal",
}


def settings() -> dict[str, Any]:
    """Configuration of the synthetic analysis, to be changed by tests."""
    samples: dict[str, Any] = {
        name: {
            "label": name,
            "role": "signal" if name in ("ggH", "qqH") else "background",
            **({"estimate": ESTIMATE} if name == "QCD" else {"datasets": [f"MC_{name}"]}),
        }
        for name in SAMPLES
    }
    systematics: dict[str, Any] = {
        name: {"kind": "rate", "size": size, "samples": names}
        for name, (size, names) in RATES.items()
    }
    systematics["ggh_scale"] = {"kind": "rate", "up": 0.044, "down": -0.069, "samples": ["ggH"]}
    systematics["w_extrapolation"] = {
        "kind": "rate",
        "size": 0.10,
        "samples": ["W"],
        "regions": ["signal"],
    }
    for name, names in KINEMATIC.items():
        systematics[name] = {"kind": "kinematic", "shift": name, "size": 0.03, "samples": names}
    systematics["pileup"] = {
        "kind": "weight",
        "weight": "pileup",
        "samples": [name for name in SAMPLES if name != "QCD"],
    }
    return {
        "analysis": "synthetic",
        "title": "Synthetic",
        "data": ["Data"],
        "samples": samples,
        "regions": {
            "signal": {"cut": "mt < 30", "role": "signal"},
            "w_control": {"cut": "mt > 70", "role": "control"},
            "ss_signal": {"cut": "mt < 30"},
            "ss_w_control": {"cut": "mt > 70"},
        },
        "features": ["x"],
        "observables": {"nn_score": {"label": "score", "binning": EDGES}},
        "systematics": systematics,
        "fit": {"unblind": True, "free_normalisations": {"w_norm": "W"}},
    }


def make_config(**changes: Any) -> Config:
    """Validated configuration with whole sections replaced."""
    return Config.model_validate({**settings(), **changes})


def nominal(sample: str, region: str) -> np.ndarray:
    """Expected yields per bin of the score, without flow bins."""
    if region.startswith("ss_"):
        return SAME_SIGN.get(sample, 0.0) * nominal(sample, region.removeprefix("ss_"))
    in_signal, in_control, slope, _ = SAMPLES[sample]
    total = in_signal if region == "signal" else in_control
    integral = np.exp(slope * np.array(EDGES)) / slope
    density = np.diff(integral)
    return total * density / density.sum()


def variation_factor(name: str, sample: str, sign: float) -> np.ndarray:
    """Ratio of a varied to the nominal template: a change of yield and a tilt."""
    centre = (np.array(EDGES)[1:] + np.array(EDGES)[:-1]) / 2
    size = {"tau_energy_scale": 0.06, "jet_energy_scale": 0.04}.get(name, 0.015)
    offset = {"ggH": 0.7, "qqH": 1.3}.get(sample, 1.0)
    return np.asarray(1.0 + sign * size * (offset * (centre - 0.4) + 0.5) + 0.2 * size**2)


def make_histogram(
    data: dict[str, np.ndarray] | None = None, scale: dict[str, float] | None = None
) -> hist.Hist:
    """Fill the templates; `data` defaults to the rounded expectation at μ = 1.

    `scale` multiplies samples in the data, with both signs of the charge, and not in the
    templates: the QCD estimate is then data minus a simulation that is wrong by these factors.
    """
    shifts = [*KINEMATIC, "pileup"]
    variations = ["nominal"] + [f"{name}_up" for name in shifts]
    variations += [f"{name}_down" for name in KINEMATIC]
    regions = ["signal", "w_control", "ss_signal", "ss_w_control"]
    histogram = hist.Hist(
        hist.axis.StrCategory([*SAMPLES, "data"], name="process"),
        hist.axis.StrCategory(regions, name="region"),
        hist.axis.StrCategory(variations, name="variation"),
        hist.axis.Variable(EDGES, name="nn_score"),
        storage=hist.storage.Weight(),
    )
    view = histogram.view()
    factors = dict.fromkeys(SAMPLES, 1.0) | (scale or {})
    for r, region in enumerate(regions):
        total = np.zeros(len(EDGES) - 1)
        for p, (sample, (*_, per_unit)) in enumerate(SAMPLES.items()):
            values = nominal(sample, region)
            total = total + factors[sample] * values
            if sample == "QCD":
                continue
            for v, variation in enumerate(variations):
                factor = _factor(variation, sample)
                if factor is not None:
                    view["value"][p, r, v] = values * factor
                    view["variance"][p, r, v] = values * factor**2 / per_unit
        if region.startswith("ss_"):
            qcd = nominal("QCD", region.removeprefix("ss_")) / TRANSFER["value"]
            counts = total + qcd
        else:
            counts = np.round(total) if data is None else data[region]
        view["value"][len(SAMPLES), r, 0] = counts
        view["variance"][len(SAMPLES), r, 0] = counts
    fill_same_sign(view, variations)
    return histogram


def _factor(variation: str, sample: str) -> np.ndarray | None:
    """Ratio of a varied to the nominal template; None where there is no such template."""
    name, _, direction = variation.rpartition("_")
    if variation == "nominal":
        return np.ones(len(EDGES) - 1)
    if sample in KINEMATIC.get(name, []) or name == "pileup":
        return variation_factor(name, sample, 1.0 if direction == "up" else -1.0)
    return None


def fill_same_sign(view: Any, variations: list[str]) -> None:
    """Fill QCD: the factor times same-sign data minus simulation, varied where that is."""
    row = list(SAMPLES).index("QCD")
    for r in (0, 1):
        for v in range(len(variations)):
            subtracted = sum(
                view["value"][p, r + 2, v if view["value"][p, r + 2, v].any() else 0]
                for p in range(len(SAMPLES))
            )
            data = view["value"][len(SAMPLES), r + 2, 0]
            view["value"][row, r, v] = TRANSFER["value"] * (data - subtracted)
            view["variance"][row, r, v] = np.abs(view["value"][row, r, v]) / SAMPLES["QCD"][3]


def change_same_sign(histogram: hist.Hist, region: str, qcd: np.ndarray) -> hist.Hist:
    """Change the same-sign data of a fitted region so that the nominal QCD estimate is `qcd`."""
    view, place = histogram.view(), list(histogram.axes[1]).index(region)
    simulated = view["value"][: len(SAMPLES), place + 2, 0].sum(axis=0)
    view["value"][len(SAMPLES), place + 2, 0] = qcd / TRANSFER["value"] + simulated
    fill_same_sign(view, list(histogram.axes[2]))
    return histogram
