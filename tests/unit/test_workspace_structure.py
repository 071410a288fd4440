"""Workspaces that follow the schema and still have no meaning: one line that names the place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from taipan.cli.main import main
from taipan.inference import FitError, compile_model
from taipan.inference.read import keep_regions
from tests.public_models import MU

Workspace = dict[str, Any]


def make_workspace() -> Workspace:
    norm = {"name": "n", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    errors = {"name": "stat", "type": "staterror", "data": [5.0, 6.0]}
    return {
        "channels": [
            {
                "name": "sr",
                "samples": [
                    {"name": "signal", "data": [5.0, 10.0], "modifiers": [copy.deepcopy(MU)]},
                    {"name": "bkg", "data": [50.0, 60.0], "modifiers": [errors, norm]},
                ],
            },
            {
                "name": "cr",
                "samples": [{"name": "bkg", "data": [100.0], "modifiers": [copy.deepcopy(norm)]}],
            },
        ],
        "observations": [{"name": "sr", "data": [55.0, 68.0]}, {"name": "cr", "data": [101.0]}],
        "measurements": [
            {
                "name": "m",
                "config": {
                    "poi": "mu",
                    "parameters": [{"name": "mu", "bounds": [[-5.0, 10.0]], "inits": [1.0]}],
                },
            }
        ],
        "version": "1.0.0",
    }


def background(workspace: Workspace) -> dict[str, Any]:
    sample: dict[str, Any] = workspace["channels"][0]["samples"][1]
    return sample


def settings(workspace: Workspace) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = workspace["measurements"][0]["config"]["parameters"]
    return parameters


def twice(items: list[Any], position: int) -> None:
    items.append(copy.deepcopy(items[position]))


CASES: dict[str, tuple[Callable[[Workspace], Any], str]] = {
    "observation missing": (
        lambda w: w["observations"].pop(1),
        "region cr: no observation of it (observations: sr)",
    ),
    "two observations": (
        lambda w: twice(w["observations"], 1),
        "observations: region 'cr' is given 2 times (once is allowed)",
    ),
    "observation too long": (
        lambda w: w["observations"][0]["data"].append(3.0),
        "region sr: 3 observed bins, its samples have 2",
    ),
    "negative data": (
        lambda w: w["observations"][0].update(data=[55.0, -3.0]),
        "region sr: observation of bin 1 is -3 (0 or more)",
    ),
    "negative data of the second region": (
        lambda w: w["observations"][1].update(data=[-0.5]),
        "region cr: observation of bin 0 is -0.5 (0 or more)",
    ),
    "samples of different lengths": (
        lambda w: background(w)["data"].append(3.0),
        "region sr, sample bkg: 3 bins, sample signal has 2",
    ),
    "samples of different lengths, shorter": (
        lambda w: background(w)["data"].pop(),
        "region sr, sample bkg: 1 bins, sample signal has 2",
    ),
    "uncertainty of another length": (
        lambda w: background(w)["modifiers"][0]["data"].append(3.0),
        "region sr, sample bkg, modifier stat: data has 3 bins, the sample has 2",
    ),
    "variation of another length": (
        lambda w: background(w)["modifiers"].append(
            {"name": "h", "type": "histosys", "data": {"hi_data": [1.0], "lo_data": [1.0, 2.0]}}
        ),
        "region sr, sample bkg, modifier h: hi_data has 1 bins, the sample has 2",
    ),
    "negative uncertainty": (
        lambda w: background(w)["modifiers"][0].update(data=[5.0, -6.0]),
        "region sr, sample bkg, modifier stat: uncertainty of bin 1 is -6 (0 or more)",
    ),
    "two channels": (
        lambda w: twice(w["channels"], 1),
        "channels: region 'cr' is given 2 times (once is allowed)",
    ),
    "two samples": (
        lambda w: twice(w["channels"][0]["samples"], 1),
        "region sr: sample 'bkg' is given 2 times (once is allowed)",
    ),
    "two modifiers": (
        lambda w: twice(background(w)["modifiers"], 1),
        "region sr, sample bkg: modifier (name, type) 'n, normsys' is given 2 times",
    ),
    "two settings": (
        lambda w: twice(settings(w), 0),
        "measurement m: parameter 'mu' is given 2 times (once is allowed)",
    ),
    "two measurements": (
        lambda w: twice(w["measurements"], 0),
        "measurements: 'm' is given 2 times (once is allowed)",
    ),
    "constant parameter of interest": (
        lambda w: settings(w)[0].update(fixed=True),
        "measurement m, parameter mu: the parameter of interest has 'fixed: true'",
    ),
    "empty range": (
        lambda w: settings(w)[0].update(bounds=[[10.0, 0.0]]),
        "measurement m, parameter mu: bounds [10, 0] (two numbers, the first must be the smaller)",
    ),
    "no parameter of interest": (
        lambda w: w["measurements"][0]["config"].update(poi=""),
        "measurement m: the workspace has no parameter of interest",
    ),
    "integer of 400 digits": (
        lambda w: w["observations"][1].update(data=[10**400]),
        "region cr: observation holds a number that is far too large",
    ),
    "one bound": (
        lambda w: settings(w)[0].update(bounds=[[10.0]]),
        "measurement m, parameter mu: bounds [10] (two numbers, the first must be the smaller)",
    ),
    "infinite bound": (
        lambda w: settings(w)[0].update(bounds=[[0.0, float("inf")]]),
        "measurement m, parameter mu: bounds[1] is inf (a finite number, at most 1e+15 in size)",
    ),
    "width of zero": (
        lambda w: settings(w).append({"name": "n", "auxdata": [0.0], "sigmas": [0.0]}),
        "measurement m, parameter n: sigmas [0.0] (above 0)",
    ),
    "luminosity without a width": (
        lambda w: background(w)["modifiers"].append({"name": "lumi", "type": "lumi", "data": None}),
        "measurement m, parameter lumi: a modifier of type lumi needs 'auxdata' and 'sigmas'",
    ),
    "one staterror in two regions": (
        lambda w: w["channels"][1]["samples"][0]["modifiers"].append(
            {"name": "stat", "type": "staterror", "data": [6.0]}
        ),
        "region cr, modifier stat: a staterror of this name is in region sr, too",
    ),
    "huge yield": (
        lambda w: background(w).update(data=[50.0, 1e300]),
        "region sr, sample bkg: yields[1] is 1e+300 (a finite number, at most 1e+15 in size)",
    ),
    "huge observation": (
        lambda w: w["observations"][0].update(data=[1e300, 1e308]),
        "region sr: observation[0] is 1e+300",
    ),
    "huge factor": (
        lambda w: background(w)["modifiers"][1].update(data={"hi": 1e300, "lo": 1e-300}),
        "region sr, sample bkg, modifier n: hi is 1e+300",
    ),
    "tiny factor": (
        lambda w: background(w)["modifiers"][1].update(data={"hi": 1.1, "lo": 1e-300}),
        "region sr, sample bkg, modifier n: lo is 1e-300 (at least 1e-15)",
    ),
    "tiny yields": (
        lambda w: background(w).update(data=[1e-300, 1e-300]),
        "region sr, bin 0 and 1 more: staterror 'stat' of bkg",
    ),
    "no yield": (
        lambda w: [s.update(data=[5.0, 0.0]) for s in w["channels"][0]["samples"]],
        "region sr, bin 1: nominal expectation is 0 (it must be positive)",
    ),
    "no number": (
        lambda w: background(w).update(data=[1.0, "x"]),
        "pyhf refuses the workspace: channels[0].samples[1].data[1]: 'x' is not of type 'number'",
    ),
}


@pytest.mark.parametrize(("change", "message"), CASES.values(), ids=list(CASES))
def test_fault_of_a_workspace_is_one_line_that_names_the_place(change, message, tmp_path, capfd):
    """Tracebacks, logs of pyhf and warnings of NumPy stood before some of these messages."""
    workspace = make_workspace()
    change(workspace)
    path = tmp_path / "w.json"
    path.write_text(json.dumps(workspace))
    assert main(["fit", str(path), "--limit", "--out", str(tmp_path / "out.json")]) == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("taipan: error: ")
    assert message in line
    assert not (tmp_path / "out.json").exists()


def test_sound_workspace_is_accepted():
    assert compile_model(make_workspace()).notes == ()


def test_observation_without_a_channel_is_noted():
    """A region that is misspelt there is missing above all; one that was taken out does no harm."""
    workspace = make_workspace()
    workspace["observations"].append({"name": "vr", "data": [3.0]})
    (note,) = compile_model(workspace).notes
    assert note == "observation of region vr: there is no such channel, it is not used"


def test_choice_of_regions_checks_the_workspace_first():
    workspace = make_workspace()
    del workspace["observations"]
    with pytest.raises(FitError, match="'observations' is a required property"):
        keep_regions(workspace, ["sr"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "mu = 10 (bounds -5, 10): the best fit lies beyond the bound; widen the bounds"),
        (["--lenient"], "than at the best fit (10), which its bounds [-5, 10] hold; widen them"),
    ],
)
def test_signal_strength_above_its_bound_is_named(options, message, tmp_path, capfd):
    """With --lenient the bound was called a local minimum."""
    workspace = make_workspace()
    workspace["observations"][0]["data"] = [155.0, 300.0]
    path = tmp_path / "w.json"
    path.write_text(json.dumps(workspace))
    assert main(["fit", str(path), "--limit", *options]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert message in line


def test_negative_asimov_data_name_region_and_bin(tmp_path, capfd):
    path = tmp_path / "w.json"
    path.write_text(json.dumps(make_workspace()))
    assert main(["fit", str(path), "--asimov", "--mu", "-200"]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert "data of region sr, bin 1 is negative (-1940)" in line
