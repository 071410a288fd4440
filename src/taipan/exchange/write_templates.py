"""The templates of a workspace as ROOT histograms, before and after a fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from taipan.atomic import replacing, write_text
from taipan.exchange.errors import ExchangeError
from taipan.exchange.root_files import write_histograms
from taipan.inference.compile import compile_model
from taipan.inference.fit import fit
from taipan.inference.read import validate_workspace
from taipan.inference.yields import postfit_yields

Array = npt.NDArray[np.float64]

HISTOGRAMS, NAMES = "histograms.root", "histograms.yaml"
DATA = "data_obs"
FITTED = "fitted"
_SYSTEMATICS = ("normsys", "histosys")


def list_templates(
    workspace: Mapping[str, Any], measurement: str | None = None
) -> tuple[dict[str, tuple[Array, Array]], dict[str, Any], list[str]]:
    """List the histograms of a workspace.

    Parameters
    ----------
    workspace
        pyhf workspace.
    measurement
        Name of the measurement, of which the parameter of interest is taken; the first by default.

    Returns
    -------
    tuple
        Name → contents and errors: ``region/sample``, ``region/sample_parameterUp`` and ``Down``,
        ``region/data_obs``; the YAML file by which they are read again; and what neither holds.

    Raises
    ------
    FitError
        If pyhf refuses the workspace.
    ExchangeError
        If two histograms would have the same name.
    """
    validate_workspace(workspace)
    chosen = workspace["measurements"][0]
    for item in workspace["measurements"]:
        chosen = item if item["name"] == measurement else chosen
    poi = chosen["config"]["poi"]
    found: dict[str, tuple[Array, Array]] = {}
    notes: list[str] = []
    factors: dict[str, list[str]] = {}
    signals: list[str] = []
    statistics = False
    for item in workspace["observations"]:
        data = np.asarray(item["data"], dtype=np.float64)
        _add(found, f"{clean_name(item['name'])}/{DATA}", data, np.sqrt(data))
    for channel in workspace["channels"]:
        for sample in channel["samples"]:
            name = f"{clean_name(channel['name'])}/{clean_name(sample['name'])}"
            nominal = np.asarray(sample["data"], dtype=np.float64)
            variance = np.zeros_like(nominal)
            for modifier in sample["modifiers"]:
                kind, label = modifier["type"], modifier["name"]
                if kind in ("staterror", "shapesys"):
                    variance += np.square(np.asarray(modifier["data"], dtype=np.float64))
                    statistics = True
                    if kind == "shapesys":
                        notes.append(f"shapesys {label!r} is in the errors of the histograms")
                elif kind in ("shapefactor", "lumi"):
                    notes.append(f"{kind} {label!r} of sample {sample['name']!r} has no histogram")
                elif kind == "normfactor" and label == poi:
                    signals.append(clean_name(sample["name"]))
                elif kind == "normfactor":
                    factors.setdefault(clean_name(label), []).append(clean_name(sample["name"]))
            _add(found, name, nominal, np.sqrt(variance))
            for label, (up, down) in _vary(sample, nominal).items():
                _add(found, f"{name}_{clean_name(label)}Up", up, np.zeros_like(up))
                _add(found, f"{name}_{clean_name(label)}Down", down, np.zeros_like(down))
    names = {
        "file": HISTOGRAMS,
        "signals": list(dict.fromkeys(signals)),
        "poi": poi,
        "regions": [clean_name(channel["name"]) for channel in workspace["channels"]],
        "samples": sorted(
            {clean_name(s["name"]) for c in workspace["channels"] for s in c["samples"]}
        ),
        "factors": _describe_factors(chosen, factors),
        "statistics": statistics,
    }
    return found, names, list(dict.fromkeys(notes))


def _describe_factors(
    measurement: Mapping[str, Any], factors: Mapping[str, list[str]]
) -> dict[str, Any]:
    settings = {clean_name(item["name"]): item for item in measurement["config"]["parameters"]}
    found = {}
    for name, samples in factors.items():
        entry = settings.get(name, {})
        found[name] = {
            "samples": sorted(set(samples)),
            "start": float(entry.get("inits", [1.0])[0]),
            "range": [float(end) for end in entry.get("bounds", [[0.0, 10.0]])[0]],
        }
    return found


def _vary(sample: Mapping[str, Any], nominal: Array) -> dict[str, tuple[Array, Array]]:
    """Parameter → templates at +1 and -1, with all that it does."""
    both: dict[str, tuple[Array, Array]] = {}
    for kind in _SYSTEMATICS[::-1]:  # shapes first, their factors multiply them
        for modifier in sample["modifiers"]:
            if modifier["type"] != kind:
                continue
            name, data = modifier["name"], modifier["data"]
            up, down = both.get(name, (nominal, nominal))
            if kind == "histosys":
                up, down = np.asarray(data["hi_data"], float), np.asarray(data["lo_data"], float)
            else:
                up, down = up * data["hi"], down * data["lo"]
            both[name] = (up, down)
    return both


def fitted_templates(
    workspace: Mapping[str, Any], measurement: str | None = None
) -> dict[str, tuple[Array, Array]]:
    """List the templates at the best fit: ``fitted/region/sample``, without errors, and ``total``.

    Raises
    ------
    FitError
        If the fit fails.
    """
    model = compile_model(workspace, measurement=measurement, lenient=True)
    best = fit(model, model.observed)
    edges = {n: [float(i) for i in range(s.stop - s.start + 1)] for n, s in model.regions.items()}
    found: dict[str, tuple[Array, Array]] = {}
    for region, numbers in postfit_yields(model, model.observed, edges, best).items():
        where = f"{FITTED}/{clean_name(region)}"
        total = np.asarray(numbers["total"])
        _add(found, f"{where}/total", total, np.asarray(numbers["total_sigma"]))
        for sample, values in numbers["samples"].items():
            if any(values):
                _add(
                    found, f"{where}/{clean_name(sample)}", np.asarray(values), np.zeros(len(total))
                )
    return found


def write_templates(
    folder: Path, histograms: Mapping[str, tuple[Array, Array]], names: Mapping[str, Any]
) -> tuple[Path, Path]:
    """Write the ROOT file and the YAML file that describes it."""
    with replacing(folder / HISTOGRAMS) as temporary:
        write_histograms(temporary, histograms)
    text = yaml.safe_dump(dict(names), sort_keys=False, allow_unicode=True)
    write_text(folder / NAMES, text)
    return folder / HISTOGRAMS, folder / NAMES


def _add(found: dict[str, tuple[Array, Array]], name: str, values: Array, errors: Array) -> None:
    if name in found:
        raise ExchangeError(f"two histograms would be called {name!r}")
    found[name] = (values, errors)


def clean_name(name: str) -> str:
    """Give a name without characters that mean something in ROOT files, such as ``/``."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", name) or "_"
