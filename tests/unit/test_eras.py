"""Several data-taking periods: what is shared, what is not, and a fit in closed form."""

from __future__ import annotations

import functools
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from taipan.atomic import read_json, write_json
from taipan.checks.eras import check_eras, check_runs
from taipan.checks.whole import check_everything
from taipan.config.era_slices import make_header, merge_sections
from taipan.config.eras import load_eras, split_eras
from taipan.config.load import load_catalogue, read_config, read_yaml
from taipan.config.merging import merge
from taipan.config.model import Config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.inference import run_inference
from taipan.inference.compile import compile_model
from taipan.inference.copies import find_copies
from taipan.inference.eras import combine_eras, correlate_eras, keep_era
from taipan.inference.errors import FitError
from taipan.inference.fit import fit
from taipan.likelihood.polynomial_parts import make_tie
from taipan.plotting.fit import name_regions
from taipan.skim.identities import Identities, IdentityWriter
from taipan.stages.combine_eras import combine_eras as combine_stage
from taipan.stages.summarise_eras import summarise_eras as summarise_stage
from taipan.summary import hash_result
from taipan.summary.eras import eras_to_markdown, summarise_eras
from tests.conftest import ROOT
from tests.real_data import real_data

REAL, needs_real = real_data("nanoaod-samples")
SIZE = 0.05


def workspace(events: float) -> dict[str, Any]:
    """One bin of signal with a luminosity of 5 % and an efficiency in two parts."""
    modifiers = [
        {"name": "mu", "type": "normfactor", "data": None},
        {"name": "lumi", "type": "normsys", "data": {"hi": 1.0 + SIZE, "lo": 1.0 - SIZE}},
    ]
    sample = {"name": "sig", "data": [events], "modifiers": modifiers}
    return {
        "channels": [{"name": "sr", "samples": [sample]}],
        "observations": [{"name": "sr", "data": [events]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def record(**parameters: str) -> dict[str, Any]:
    edges = {"role": "signal", "edges_after": [0.0, 1.0]}
    return {
        "observable": "x", "blinded": False, "regions": {"sr": edges}, "warnings": ["few events"],
        "treatment": {"parameters": parameters or {"lumi": "lumi"}},
    }  # fmt: skip


MODELS = {"A": workspace(10_000.0), "B": workspace(40_000.0)}
RECORDS = {"A": record(), "B": record()}


def sigma(model: dict[str, Any]) -> float:
    compiled = compile_model(model)
    return float(fit(compiled, compiled.observed).sigma[compiled.poi])


def test_common_uncertainty_stays_and_own_ones_average_out() -> None:
    """Correlated: 1/50,000 + 5 %². Own: the inverse of the sum of the inverses of both."""
    one, two = (1.0 / n + SIZE**2 for n in (10_000.0, 40_000.0))
    expected = {
        "correlated": math.sqrt(1.0 / 50_000.0 + SIZE**2),
        "uncorrelated": math.sqrt(1.0 / (1.0 / one + 1.0 / two)),
    }
    for key, value in expected.items():
        model, made = combine_eras(MODELS, RECORDS, {"lumi": key}, [], ["mu"])
        assert sigma(model) == pytest.approx(value, rel=2e-3)
        for era, size in (("A", one), ("B", two)):
            part, own = keep_era(model, made, era)
            assert [c["name"] for c in part["channels"]] == [f"{era}_sr"] == list(own["regions"])
            assert sigma(part) == pytest.approx(math.sqrt(size), rel=2e-3)
    assert expected["correlated"] > 1.3 * expected["uncorrelated"]


def test_names_say_which_eras_share_a_parameter() -> None:
    """A and C have one, B its own; a parameter that is decorrelated within an era keeps its end."""
    models = {era: workspace(100.0) for era in "ABC"}
    for model in models.values():
        model["channels"][0]["samples"][0]["modifiers"][1]["name"] = "lumi_sr"
    records = {era: record(lumi_sr="lumi") for era in "ABC"}
    names = {"lumi": {"A": "old", "B": "new", "C": "old"}}
    found = correlate_eras(models, records, names, [])
    assert found == {"old_sr": ["A:lumi_sr", "C:lumi_sr"], "new_sr": ["B:lumi_sr"]}
    model, made = combine_eras(models, records, names, [], ["mu"])
    assert set(compile_model(model).parameters.names) == {"mu", "old_sr", "new_sr"}
    assert made["correlated"] == {"old_sr": ["A:lumi_sr", "C:lumi_sr"]}
    assert made["warnings"] == [f"{era}: few events" for era in "ABC"]


def test_what_belongs_to_no_systematic_is_of_an_era_unless_it_is_said() -> None:
    models = {era: workspace(100.0) for era in "AB"}
    for model in models.values():
        modifiers = model["channels"][0]["samples"][0]["modifiers"]
        modifiers += [{"name": name, "type": "normfactor", "data": None} for name in ("w", "v")]
    found = correlate_eras(models, RECORDS, {"lumi": "uncorrelated"}, ["w"])
    assert found == {"w": ["A:w", "B:w"]}


def test_eras_are_blinded_together() -> None:
    records = {"A": RECORDS["A"], "B": {**RECORDS["B"], "blinded": True}}
    with pytest.raises(FitError, match="eras: B is blinded and others are not"):
        combine_eras(MODELS, records, {"lumi": "correlated"}, [], ["mu"])


LUMINOSITY = {"A": 10.0, "B": 40.0}
SIZES = {"s": 250.0, "t": 4.0}
"""Predicted cross sections in pb; the second one is of a background."""


def two_bins(luminosity: float, cross_sections: dict[str, float]) -> dict[str, Any]:
    """A process a bin, with ten thousand times fewer background events in the other one."""
    samples = {
        name: [luminosity * SIZES[name] * share for share in shares]
        for name, shares in {"s": (1.0, 0.2), "t": (0.1, 30.0)}.items()
    }
    found = np.sum(
        [np.multiply(n, cross_sections[k] / SIZES[k]) for k, n in samples.items()], axis=0
    )
    made = [
        {
            "name": name,
            "data": data,
            "modifiers": [{"name": f"sigma_{name}", "type": "normfactor", "data": None}],
        }
        for name, data in samples.items()
    ]
    return {
        "channels": [{"name": "sr", "samples": made}],
        "observations": [{"name": "sr", "data": found.tolist()}],
        "measurements": [
            {"name": f"m_{name}", "config": {"poi": f"sigma_{name}", "parameters": [
                {"name": f"sigma_{k}", "bounds": [[0.0, 10.0]], "inits": [1.0]} for k in SIZES
            ]}}
            for name in SIZES
        ],
        "version": "1.0.0",
    }  # fmt: skip


def in_pb(**more: Any) -> dict[str, Any]:
    """A record that says what a factor of 1 is, in pb."""
    interests = {
        f"sigma_{name}": {"prediction": 1.0, "size": size, "unit": "pb", "source": "a test"}
        for name, size in SIZES.items()
    }
    regions = {"sr": {"role": "signal", "edges_after": [0.0, 1.0, 2.0]}}
    return {**record(), "regions": regions, "interests": interests, **more}


def test_two_cross_sections_of_eras_with_other_luminosities() -> None:
    """The numbers of events are 10 and 40 times (σ_s, σ_t) times efficiencies: solved by hand.

    Two bins and two parameters: the fit is exact, and the covariance that of Poisson counts,
    with A the derivatives of the counts: (Aᵀ·diag(1/n)·A)⁻¹.
    """
    truth = {"s": 270.0, "t": 3.5}
    models = {era: two_bins(size, truth) for era, size in LUMINOSITY.items()}
    records = dict.fromkeys(models, in_pb())
    model, made = combine_eras(models, records, {}, [], ["sigma_s", "sigma_t"])
    pois = [item["config"]["poi"] for item in model["measurements"]]
    assert pois == ["sigma_s", "sigma_t"]
    assert compile_model(model).parameters.names == ("sigma_s", "sigma_t")
    assert made["correlated"] == {}  # what is of interest is always common
    shares = np.array([[1.0, 0.1], [0.2, 30.0]])  # bin, process
    parts = {era: keep_era(model, made, era) for era in models}
    for fitted, luminosity in (
        ((model, made), 50.0), (parts["A"], 10.0), (parts["B"], 40.0)
    ):  # fmt: skip
        found = run_inference(*fitted)
        counts = luminosity * shares @ [truth["s"], truth["t"]]
        slopes = luminosity * shares
        covariance = np.linalg.inv(slopes.T @ np.diag(1.0 / counts) @ slopes)
        other = found["others"]["sigma_t"]["observed"]
        assert found["observed"]["mu_hat"] == pytest.approx(truth["s"], rel=1e-5)
        assert other["mu_hat"] == pytest.approx(truth["t"], rel=1e-4)
        expected = np.sqrt(np.diag(covariance))
        assert [found["observed"]["sigma"], other["sigma"]] == pytest.approx(expected, rel=1e-3)
        assert found["interests"]["sigma_t"]["unit"] == "pb"
        assert [item["parameters"] for item in found["contours"]] == [["sigma_s", "sigma_t"]]
        assert set(found["scans"]) == {"sigma_s", "sigma_t"}
        for content in found["observed"]["postfit"].values():
            assert set(content["samples"]) == {"s", "t"}  # not those of an era


def test_parameters_of_interest_are_the_same_in_all_eras() -> None:
    models = {era: two_bins(size, SIZES) for era, size in LUMINOSITY.items()}
    other = in_pb()
    other["interests"]["sigma_t"]["size"] = 5.0
    with pytest.raises(FitError, match="eras: interests of era B are not those of era A"):
        combine_eras(models, {"A": in_pb(), "B": other}, {}, [], ["sigma_s", "sigma_t"])


def test_squares_and_divided_samples_keep_their_meaning() -> None:
    """A copy of a parameter is tied in every era; its region is no region of events."""
    tie, observed = make_tie("c", (-2.0, 2.0))
    model = workspace(100.0)
    (sample,) = model["channels"][0]["samples"]
    names = ("c", "c_again")
    sample["modifiers"] = [{"name": name, "type": "normfactor", "data": None} for name in names]
    sample["name"] = "sig_times_c2"
    background = {"name": "other", "data": [400.0], "modifiers": []}
    model["channels"][0]["samples"].append(background)
    model["observations"][0]["data"] = [500.0]
    model["channels"].append(tie)
    model["observations"].append(observed)
    settings = [{"name": name, "bounds": [[-2.0, 2.0]], "inits": [1.0]} for name in names]
    model["measurements"][0]["config"] = {"poi": "c", "parameters": settings}
    idle = dict.fromkeys((part["name"] for part in tie["samples"]), "")
    own = {"parts": {"sig_times_c2": "sig", **idle}, "auxiliary": [tie["name"]]}
    combined, made = combine_eras(
        {"A": model, "B": model}, {era: {**record(), **own} for era in "AB"}, {}, [], ["c"]
    )
    assert find_copies(combined) == {"A_c_again": "c", "B_c_again": "c"}
    assert made["auxiliary"] == ["A_tie_c", "B_tie_c"]
    part, record_of_b = keep_era(combined, made, "B")
    assert [c["name"] for c in part["channels"]] == ["B_sr", "B_tie_c"]
    found = run_inference(part, record_of_b)
    assert list(found["observed"]["prefit"]) == ["B_sr"]
    assert set(found["observed"]["prefit"]["B_sr"]["samples"]) == {"sig", "other"}
    # n = 400 + 100·c²: σ = √500/200 for one era, 1/√2 of it for both
    size = math.sqrt(500.0) / 200.0
    assert found["observed"]["sigma"] == pytest.approx(size, rel=1e-3)
    both = run_inference(combined, made)["observed"]
    assert both["sigma"] == pytest.approx(size / math.sqrt(2.0), rel=1e-3)


def settings(**more: Any) -> dict[str, Any]:
    """The example of the manual, with other keys."""
    files = (ROOT / "config/config.yaml", ROOT / "config/examples/eras.yaml")
    return functools.reduce(merge, [*map(read_yaml, files), more])


def test_every_era_has_its_own_keys_seed_and_folder() -> None:
    found = load_eras(settings(), ROOT)
    assert list(found) == ["2015", "2016"]
    assert [item.fastsim.luminosity for item in found.values()] == [0.02, 0.05]
    sizes = [item.systematics["luminosity"].model_dump()["size"] for item in found.values()]
    assert sizes == [0.023, 0.012]
    assert len({item.seed for item in found.values()}) == 2
    assert [item.results for item in found.values()] == [
        f"results/eras/zmumu/eras/{name}" for name in found
    ]
    assert all(item.eras == {} for item in found.values())
    assert split_eras(settings(eras={"2015": {"seed": 7}}), ROOT)["2015"]["seed"] == 7
    assert split_eras(read_yaml(ROOT / "config/config.yaml"), ROOT) == {}


def test_wrong_keys_of_an_era_are_named_with_it() -> None:
    with pytest.raises(TaipanError, match=r"eras.2016: fastsim.luminosity: -1 is not allowed"):
        load_eras(settings(eras={"2016": {"fastsim": {"luminosity": -1}}}), ROOT)
    with pytest.raises(TaipanError, match=r"eras.2015.results: is common to all eras"):
        load_eras(settings(eras={"2015": {"results": "elsewhere"}}), ROOT)
    with pytest.raises(TaipanError, match="eras"):
        load_eras(settings(eras={"20_15": {}}), ROOT)


Periods = dict[str, tuple[Config, Catalogue]]


def periods(**more: Any) -> Periods:
    return {
        name: (one, load_catalogue(one)) for name, one in load_eras(settings(**more), ROOT).items()
    }


def test_example_has_no_problem_and_eras_must_agree() -> None:
    assert list(check_eras(periods())) == []
    (line,) = check_eras({"2015": periods()["2015"]})
    assert line.startswith("eras: 2015 alone is no set of eras")
    (line,) = check_eras(periods(eras={"2016": {"fit": {"poi": "other"}}}))
    assert line.startswith("eras.2016.fit.poi: 'other' is not that of era 2015 ('mu')")
    (line,) = check_eras(periods(systematics={"trigger": {"eras": {"2015": "a", "2017": "b"}}}))
    assert line == "systematics.trigger.eras: '2017' is no era (2015, 2016)"
    (line,) = check_eras(periods(systematics={"trigger": {"eras": {"2015": "a"}}}))
    assert line == "systematics.trigger.eras: 2016 is missing (a name for each era)"
    for key, value, message in (
        ("label", "new", "label: 'new' is not that of era 2015 ('old')"),
        ("range", [0, 2], "range: [0, 2] is not that of era 2015 ([0, 3])"),
        ("cross_section", {"value": 2.0, "unit": "pb", "source": "one"},
         "cross_section: 2 pb (one) is not that of era 2015 (none)"),
    ):  # fmt: skip
        interest = {"samples": ["ZMM"], "label": "old", "range": [0, 3]}
        if key == "cross_section":
            del interest["range"]
        whole = {"fit": {"parameters_of_interest": {"mu": interest}}}
        own = {"2016": {"fit": {"parameters_of_interest": {"mu": {key: value}}}}}
        line, *more = check_eras(periods(**whole, eras=own))
        assert line.startswith(f"eras.2016.fit.parameters_of_interest.mu.{message}")
        assert not more or key == "cross_section"  # whose bounds are in another unit
    alone = {"sigma": {"samples": ["TT"], "cross_section": {"value": 1.0, "source": "one"}}}
    own = {"2016": {"fit": {"parameters_of_interest": {"mu": ["ZMM"], **alone}}}}
    (line,) = check_eras(periods(eras=own))
    assert line == (
        "eras.2016.fit.parameters_of_interest: 'sigma' is one in era 2016 alone; name it in all"
    )
    own = {"2016": {"fit": {"cross_section": {"value": 3.0}}}}
    (line,) = check_eras(periods(eras=own))
    assert line.startswith("eras.2016.fit.cross_section: 3 pb (a third of")
    own = {"2016": {"systematics": {"trigger": {"eras": "correlated"}}}}
    (line,) = check_eras(periods(eras=own))
    assert line.startswith("systematics.trigger.eras: 'correlated' in era 2016, but 'uncorrelated'")


def nanoaod(folder: Path, file: str) -> tuple[Config, Catalogue]:
    """Data and simulation in files of a folder."""
    config = read_config([], ROOT, analysis="zmumu").model_copy(
        update={"files": str(folder), "data": ["SingleMuon"]}
    )
    cited = {"value": 1.0, "source": "a test"}
    datasets = {
        "SingleMuon": {"files": [file], "is_data": True, "luminosity": cited},
        **{
            name: {
                "files": [f"{folder.name}_{name}.root"],
                "is_data": False,
                "cross_section": cited,
            }
            for name in ("DYJetsToLL", "TTbar", "WJetsToLNu")
        },
    }
    catalogue = {"name": "n", "kind": "nanoaod", "description": "d", "licence": "l"}
    return config, Catalogue.model_validate({**catalogue, "datasets": datasets})


def write_runs(path: Path, runs: list[int], tree: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with uproot.recreate(path) as file:
        file.mktree(tree, {"run": "uint32"})
        file[tree].extend({"run": np.array(runs, np.uint32)})


def test_a_run_or_a_file_in_two_eras_is_refused_by_name(tmp_path: Path) -> None:
    write_runs(tmp_path / "a/x.root", [1, 2, 3, 7], "Runs")
    write_runs(tmp_path / "b/y.root", [8, 3, 9, 9, 1], "Events")
    write_runs(tmp_path / "c/z.root", [10], "Events")
    found = {
        "A": nanoaod(tmp_path / "a", "x.root"),
        "B": nanoaod(tmp_path / "b", "y.root"),
        "C": nanoaod(tmp_path / "c", "z.root"),
    }
    (line,) = check_runs(found)
    assert line == (
        "eras.B.data: 2 runs of 'SingleMuon' (1, 3) are in 'SingleMuon' of era A, too; a run "
        "belongs to one era"
    )
    assert list(check_eras(found)) == []
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x.root").symlink_to(tmp_path / "a/x.root")
    (line,) = check_eras({"A": found["A"], "D": nanoaod(tmp_path / "d", "x.root")})
    assert line.startswith("eras.D: x.root of dataset 'SingleMuon' is a file of 'SingleMuon' of")


@needs_real
def test_runs_of_real_collisions_are_read(tmp_path: Path) -> None:
    """56 runs of 2018, from the tree `Runs`; a copy is another file with the same runs."""
    for name in "ab":
        (tmp_path / name).mkdir()
        shutil.copy(REAL / "nano_dimuon.root", tmp_path / name / f"{name}.root")
    (line,) = check_runs({name.upper(): nanoaod(tmp_path / name, f"{name}.root") for name in "ab"})
    runs = uproot.open(REAL / "nano_dimuon.root")["Runs"]["run"].array(library="np")
    some = ", ".join(map(str, sorted(set(runs.tolist()))[:3]))
    assert line.startswith(f"eras.B.data: 56 runs of 'SingleMuon' ({some}, …) are in 'SingleMuon'")


def test_everything_is_checked_and_a_problem_names_its_era() -> None:
    folder = ROOT / "config/analyses/zmumu"
    found = check_everything(load_eras(settings(), ROOT), folder)
    assert list(found) == ["2015", "2016"]
    own = {"2016": {"fit": {"observable": "nothing"}}}
    with pytest.raises(TaipanError, match=r"^eras.2016: fit.observable: 'nothing'"):
        check_everything(load_eras(settings(eras=own), ROOT), folder)
    names = {"trigger": {"eras": {"2015": "a"}}}
    with pytest.raises(TaipanError, match=r"^systematics.trigger.eras: 2016 is missing"):
        check_everything(
            load_eras(settings(systematics=names), ROOT), ROOT / "config/analyses/zmumu"
        )


def write_identities(path: Path, numbers: list[int]) -> str:
    n = len(numbers)
    with IdentityWriter(path, {}) as writer:
        rows = np.arange(n, dtype=np.int32)
        identity = np.array(numbers, np.uint64)
        writer.write(Identities(identity, np.ones(n, np.float32), rows))
    return str(path)


@pytest.mark.parametrize("shared", [False, True])
def test_stage_writes_all_eras_and_each_and_refuses_events_of_two(
    tmp_path: Path, shared: bool
) -> None:
    files: dict[str, Any] = {}
    for era in "AB":
        for kind, content in (("workspaces", MODELS[era]), ("records", RECORDS[era])):
            write_json(tmp_path / f"{era}_{kind}.json", content)
            files.setdefault(kind, {})[era] = [str(tmp_path / f"{era}_{kind}.json")]
    lists = {
        "A:Muon": [write_identities(tmp_path / "a.parquet", [1, 2, 3])],
        "B:Muon": [write_identities(tmp_path / "b.parquet", [4, 5, 3 if shared else 6])],
    }
    made = {key: str(tmp_path / f"{key}.json") for key in ("combined", "record")}
    parts = [str(tmp_path / f"{era}.json") for era in "AB"]
    arguments = {
        **files, **made, "identities": lists, "correlations": {"lumi": "correlated"}, "common": [],
        "pois": ["mu"], "parts": parts, "part_records": [f"{p}r" for p in parts],
    }  # fmt: skip
    if shared:
        with pytest.raises(TaipanError, match=r"eras.B.data: 1 events of 'Muon' are in 'Muon' of"):
            combine_stage(**arguments)
        assert not (tmp_path / "combined.json").exists()
        return
    combine_stage(**arguments)
    names = [c["name"] for c in read_json(made["combined"])["channels"]]
    assert names == ["A_sr", "B_sr"]
    assert read_json(parts[1])["observations"] == [{"name": "B_sr", "data": [40_000.0]}]


def result(mu: float, **others: dict[str, Any]) -> dict[str, Any]:
    """A blinded fit."""
    kinds = {"expected": estimate(mu), "observed": None}
    more = {"others": {k: {"expected": v, "observed": None} for k, v in others.items()}}
    return {"observable": "x", "poi": "mu", "blinded": True, **kinds, **(more if others else {})}


def estimate(mu: float) -> dict[str, Any]:
    keys = {"interval": [mu - 0.1, mu + 0.1], "significance": 1.0, "limit": {}}
    return {"mu_hat": mu, "sigma": 0.1, **keys}


IDENTITY = {
    "analysis": "a", "title": "T", "luminosity": {"A": 1.5, "B": 2.0}, "provenance": {"code": "c"},
}  # fmt: skip


def test_summary_has_all_eras_and_each(tmp_path: Path) -> None:
    files = {"combined": result(1.2), "A": result(1.0), "B": result(1.4)}
    for name, content in files.items():
        write_json(tmp_path / f"{name}.json", content)
    write_json(tmp_path / "r.json", {"correlated": {"lumi": []}, "warnings": ["A: few"]})
    paths = (str(tmp_path / "s.json"), str(tmp_path / "s.md"))
    fits = {name: [str(tmp_path / f"{name}.json")] for name in files}
    cross_section = {"value": 50.0, "unit": "pb"}
    summarise_stage(fits, str(tmp_path / "r.json"), dict(IDENTITY), cross_section, *paths)
    content = read_json(paths[0])
    assert content["combined"]["expected"]["mu_hat"] == 1.2
    assert content["eras"]["B"]["expected"]["mu_hat"] == 1.4
    assert content["eras"]["A"]["cross_section"]["expected"]["sigma"] == pytest.approx(5.0)
    assert content["provenance"]["code"] == "c"
    assert "numpy" in content["provenance"]["packages"]
    assert content["result_sha256"] == hash_result(content)
    text = Path(paths[1]).read_text(encoding="utf-8")
    assert "| A        | 1.00 ± 0.10 |  blinded |" in text
    assert "| combined | 60.0 ± 5.0 |  blinded |" in text
    assert "1.5 (A), 2 (B)" in text
    assert "share: lumi." in text
    assert "Warning: A: few" in text


def test_summary_has_a_table_for_each_parameter() -> None:
    unit = {"interests": {"sigma": {"unit": "pb", "size": 10.0, "prediction": 1.0}}}
    fits = {
        "combined": {**result(1.2, sigma=estimate(12.0)), **unit},
        **{era: result(1.0, sigma=estimate(10.0 + i)) for i, era in enumerate("AB")},
    }
    content = summarise_eras(fits, {"correlated": {}, "warnings": []}, IDENTITY)
    assert content["eras"]["B"]["others"]["sigma"]["expected"]["mu_hat"] == 11.0
    text = eras_to_markdown(content)
    assert text.index("## mu\n") < text.index("| B        | 1.00 ± 0.10 |")
    assert text.index("## sigma (pb)") < text.index("| B        | 11.00 ± 0.10 |")


def test_regions_of_eras_are_drawn_with_the_samples_of_the_analysis() -> None:
    """Panels have the name of their era; a sample has one colour in all."""
    found = periods()
    config = Config.from_plain(merge_sections(found, "samples", "regions", "observables"))
    regions = name_regions(config.regions, list(found))
    assert next(iter(regions)) == "2015_opposite_sign"
    assert regions["2016_same_sign"].label == "2016: SS"
    assert list(config.samples) == ["W", "TT", "ZTT", "ZMM"]
    header = make_header(found)
    assert header["luminosity"] == pytest.approx(0.07)
    assert header["energy"] == 13.0
    other = make_header(periods(eras={"2016": {"energy": 8.0}}))
    assert other["energy"] is None


def test_energy_of_a_catalogue_goes_first() -> None:
    found = periods()
    config, catalogue = found["2015"]
    catalogue = catalogue.model_copy(update={"energy": 7.0, "label": "Somebody"})
    header = make_header({"": (config, catalogue)})
    assert config.energy == 13.0
    assert (header["energy"], header["label"]) == (7.0, "Somebody")
    assert make_header({**found, "2015": (config, catalogue)})["energy"] is None
