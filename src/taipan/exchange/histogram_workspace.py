"""A workspace of histograms that lie in a ROOT file under regular names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.exchange.compare_yields import certify_yields
from taipan.exchange.density import workspace_density
from taipan.exchange.errors import ExchangeError
from taipan.exchange.histogram_names import Found, HistogramNames, find_histograms
from taipan.exchange.root_files import Histogram, RootFiles
from taipan.inference.read import numpy_backend, open_workspace

Array = npt.NDArray[np.float64]

POI_BOUNDS = (-20.0, 20.0)


def read_histograms(folder: Path, names: HistogramNames) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make a workspace of the histograms of a file.

    Parameters
    ----------
    folder
        Where the file is.
    names
        How its histograms are called.

    Returns
    -------
    tuple of dict
        Workspace, and its certificate: expected yields at every ±1 are the histograms.

    Raises
    ------
    ExchangeError
        If a histogram is missing or damaged, or has other bins than the data.
    """
    path = folder / names.file
    with RootFiles() as files:
        found = find_histograms(path, names, files.names(path))
        read = {key: files.read(path, key) for key in _all_names(found)}
    for place, key in found.nominal.items():
        _same_bins(path, read, found.data[place[0]], key)
    for place3, both in found.varied.items():
        for key in filter(None, both):
            _same_bins(path, read, found.nominal[place3[:2]], key)
    workspace = _build(names, found, read)
    return workspace, _certify(path, workspace, names, found, read)


def _all_names(found: Found) -> list[str]:
    varied = [key for both in found.varied.values() for key in both if key]
    return [*found.data.values(), *found.nominal.values(), *varied]


def _same_bins(path: Path, read: Mapping[str, Histogram], one: str, two: str) -> None:
    first, second = len(read[one].values), len(read[two].values)
    if first != second:
        raise ExchangeError(f"{path}: {two} has {second} bins, {one} has {first}")


def _build(names: HistogramNames, found: Found, read: Mapping[str, Histogram]) -> dict[str, Any]:
    channels: list[dict[str, Any]] = []
    for region in found.data:
        samples = []
        for (where, sample), key in found.nominal.items():
            if where != region:
                continue
            nominal = read[key]
            modifiers: list[dict[str, Any]] = []
            factors = [names.poi] if sample in names.signals else []
            factors += [name for name, mine in names.factors.items() if sample in mine.samples]
            modifiers += [{"name": n, "type": "normfactor", "data": None} for n in factors]
            for name, norm in names.norms.items():
                if sample in norm.samples:
                    down = 1.0 / norm.up if norm.down is None else norm.down
                    data = {"hi": norm.up, "lo": down}
                    modifiers.append({"name": name, "type": "normsys", "data": data})
            for place, both in found.varied.items():
                if place[:2] == (region, sample):
                    modifiers += _vary(names, place[2], nominal.values, both, read)
            if names.statistics and nominal.errors.any():
                modifiers.append(
                    {
                        "name": f"staterror_{region}",
                        "type": "staterror",
                        "data": nominal.errors.tolist(),
                    }
                )
            samples.append(
                {"name": sample, "data": nominal.values.tolist(), "modifiers": modifiers}
            )
        if not samples:
            raise ExchangeError(f"region {region!r} has no sample")
        channels.append({"name": region, "samples": samples})
    used = {m["name"] for c in channels for s in c["samples"] for m in s["modifiers"]}
    parameters: list[dict[str, Any]] = [
        {"name": names.poi, "inits": [1.0], "bounds": [list(POI_BOUNDS)]}
    ]
    for name, factor in names.factors.items():
        settings = {"inits": [factor.start], "bounds": [list(factor.range)]}
        parameters.append({"name": name, **settings})
    if names.poi not in used:
        raise ExchangeError(f"signals {', '.join(names.signals)} are in no region")
    return {
        "channels": channels,
        "observations": [
            {"name": region, "data": read[key].values.tolist()}
            for region, key in found.data.items()
        ],
        "measurements": [
            {"name": "histograms", "config": {"poi": names.poi, "parameters": parameters}}
        ],
        "version": "1.0.0",
    }


def _vary(
    names: HistogramNames,
    systematic: str,
    nominal: Array,
    both: tuple[str, str],
    read: Mapping[str, Histogram],
) -> list[dict[str, Any]]:
    """Give a change of the yield and one of the shape, as far as there are any."""
    up, down = _sides(nominal, both, read)
    if systematic in names.norms or systematic in names.factors:
        raise ExchangeError(f"systematic {systematic!r} is also in norms or factors")
    total, high, low = nominal.sum(), up.sum(), down.sum()
    modifiers: list[dict[str, Any]] = []
    if min(total, high, low) > 0.0:
        data: dict[str, Any] = {"hi": float(high / total), "lo": float(low / total)}
        modifiers.append({"name": systematic, "type": "normsys", "data": data})
        up, down = up * (total / high), down * (total / low)
    scale = np.abs(nominal).max()
    if max(np.abs(up - nominal).max(), np.abs(down - nominal).max()) > 1e-12 * scale:
        data = {"hi_data": up.tolist(), "lo_data": down.tolist()}
        modifiers.append({"name": systematic, "type": "histosys", "data": data})
    return modifiers


def _sides(
    nominal: Array, both: tuple[str, str], read: Mapping[str, Histogram]
) -> tuple[Array, Array]:
    up, down = (read[key].values if key else None for key in both)
    if up is None:
        assert down is not None
        return 2.0 * nominal - down, down
    return up, 2.0 * nominal - up if down is None else down


def _certify(
    path: Path,
    workspace: Mapping[str, Any],
    names: HistogramNames,
    found: Found,
    read: Mapping[str, Histogram],
) -> dict[str, Any]:
    """Compare expected yields of pyhf with every histogram."""
    density = workspace_density(workspace)
    with numpy_backend():
        model = open_workspace(workspace).model
        slices = model.config.channel_slices
        order = [str(name) for name in model.config.par_names]
        largest, points = 0.0, 0
        systematics = sorted({place[2] for place in found.varied})
        for systematic, side in [("", 0), *((s, i) for s in systematics for i in (0, 1))]:
            # the histograms are those of factors of 1, wherever these start
            values = {**density.start, **dict.fromkeys((names.poi, *names.factors), 1.0)}
            if systematic:
                values[systematic] = 1.0 - 2.0 * side
            expected = np.asarray(
                model.expected_data([values[name] for name in order], include_auxdata=False)
            )
            points += 1
            for region in found.data:
                wanted = np.zeros(1)
                for (where, sample), key in found.nominal.items():
                    if where != region:
                        continue
                    both = found.varied.get((region, sample, systematic))
                    wanted = wanted + (
                        read[key].values
                        if both is None
                        else _sides(read[key].values, both, read)[side]
                    )
                off = np.abs(expected[slices[region]] - wanted).max() / np.abs(wanted).max()
                largest = max(largest, float(off))
    return certify_yields(largest, points, f"{path}: expected yields and histograms")
