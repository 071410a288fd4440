"""Small public models: those that pyhf is validated with (pyhf, validation/data; Apache-2.0).

Each exercises another kind of modifier; the numbers are those of the files, the names ours.
"""

from __future__ import annotations

from typing import Any

MU = {"name": "mu", "type": "normfactor", "data": None}


def _workspace(
    channels: dict[str, dict[str, tuple[list[float], list[dict[str, Any]]]]],
    observed: dict[str, list[float]],
    *parameters: dict[str, Any],
) -> dict[str, Any]:
    return {
        "channels": [
            {
                "name": channel,
                "samples": [
                    {"name": name, "data": data, "modifiers": modifiers}
                    for name, (data, modifiers) in samples.items()
                ],
            }
            for channel, samples in channels.items()
        ],
        "observations": [{"name": name, "data": data} for name, data in observed.items()],
        "measurements": [
            {
                "name": "validation",
                "config": {
                    "poi": "mu",
                    "parameters": [
                        {"name": "mu", "bounds": [[-5.0, 10.0]], "inits": [1.0]},
                        *parameters,
                    ],
                },
            }
        ],
        "version": "1.0.0",
    }


def _shapesys(name: str, data: list[float]) -> dict[str, Any]:
    return {"name": name, "type": "shapesys", "data": data}


def _histosys(name: str, high: list[float], low: list[float]) -> dict[str, Any]:
    return {"name": name, "type": "histosys", "data": {"hi_data": high, "lo_data": low}}


def _normsys(name: str, high: float, low: float) -> dict[str, Any]:
    return {"name": name, "type": "normsys", "data": {"hi": high, "lo": low}}


def public_models() -> dict[str, dict[str, Any]]:
    """Name of the model → workspace."""
    return {
        "two_bins_uncorrelated": _workspace(
            {
                "sr": {
                    "sig": ([12.0, 11.0], [MU]),
                    "bkg": ([50.0, 52.0], [_shapesys("u", [3.0, 7.0])]),
                }
            },
            {"sr": [51.0, 48.0]},
        ),
        "two_channels_shapesys": _workspace(
            {
                "signal": {
                    "sig": ([10.0, 35.0], [MU]),
                    "bkg": ([100.0, 150.0], [_shapesys("a", [10.0, 10.0])]),
                },
                "control": {"bkg": ([200.0, 350.0], [_shapesys("b", [5.0, 10.0])])},
            },
            {"signal": [110.0, 155.0], "control": [205.0, 345.0]},
        ),
        "histosys": _workspace(
            {
                "sr": {
                    "sig": ([30.0, 95.0], [MU]),
                    "bkg": ([100.0, 150.0], [_histosys("h", [102.0, 190.0], [98.0, 100.0])]),
                }
            },
            {"sr": [120.0, 180.0]},
        ),
        "coupled_normsys": _workspace(
            {
                "signal": {
                    "sig": ([10.0, 35.0], [MU]),
                    "bkg1": ([100.0, 100.0], [_normsys("n", 1.1, 0.9)]),
                    "bkg2": ([50.0, 100.0], [_normsys("n", 0.5, 1.5)]),
                },
                "control": {"bkg1": ([100.0, 100.0], [_normsys("n", 1.1, 0.9)])},
            },
            {"signal": [105.0, 220.0], "control": [110.0, 105.0]},
        ),
        "coupled_shapefactor": _workspace(
            {
                "signal": {
                    "sig": ([20.0, 20.0], [MU]),
                    "bkg1": ([100.0, 70.0], [{"name": "s", "type": "shapefactor", "data": None}]),
                },
                "control": {
                    "bkg1": ([100.0, 100.0], [{"name": "s", "type": "shapefactor", "data": None}])
                },
            },
            {"signal": [220.0, 230.0], "control": [200.0, 300.0]},
        ),
        "histfactory_example": _workspace(
            {
                "channel1": {
                    "signal": ([20.0, 10.0], [MU, _normsys("syst1", 1.05, 0.95)]),
                    "background1": (
                        [100.0, 0.0],
                        [
                            {"name": "lumi", "type": "lumi", "data": None},
                            {"name": "stat", "type": "staterror", "data": [5.0, 0.0]},
                            _normsys("syst2", 1.05, 0.95),
                        ],
                    ),
                    "background2": (
                        [0.0, 100.0],
                        [
                            {"name": "lumi", "type": "lumi", "data": None},
                            {"name": "stat", "type": "staterror", "data": [0.0, 10.0]},
                            _normsys("syst3", 1.05, 0.95),
                        ],
                    ),
                }
            },
            {"channel1": [122.0, 112.0]},
            {
                "name": "lumi", "auxdata": [1.0], "sigmas": [0.1], "bounds": [[0.5, 1.5]],
                "inits": [1.0],
            },
        ),
    }  # fmt: skip


def two_minima() -> dict[str, Any]:
    """Give the file 2bin_2channel_coupledhisto, whose likelihood has two minima."""
    return _workspace(
        {
            "signal": {
                "sig": ([30.0, 35.0], [MU]),
                "bkg1": ([100.0, 100.0], [_histosys("c", [110.0, 110.0], [90.0, 90.0])]),
                "bkg2": ([50.0, 120.0], [_histosys("c", [55.0, 55.0], [45.0, 45.0])]),
            },
            "control": {"bkg1": ([105.0, 100.0], [_histosys("c", [110.0, 115.0], [95.0, 90.0])])},
        },
        {"signal": [170.0, 220.0], "control": [110.0, 105.0]},
    )
