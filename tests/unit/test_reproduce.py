"""Bundles of runs, and the comparison of every number."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hist
import pytest
import yaml
from onnx import TensorProto, helper

from taipan.atomic import read_json, write_json, write_text
from taipan.checksums import file_digest, record_files, record_path
from taipan.cli.main import main
from taipan.config.load import load_catalogue, read_config
from taipan.config.slices import hash_catalogue, hash_config
from taipan.datasets import Catalogue
from taipan.errors import TaipanError
from taipan.reproduce import Bundle, command, compare_results, read_bundle, write_bundle
from taipan.reproduce.command import format_differences, prepare_folder
from taipan.reproduce.origin import read_origin
from taipan.summary.collect import hash_result
from taipan.templates.store import write_histograms

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of a run of the default configuration, made up."""
    folder = tmp_path / "results/htautau"
    config = read_config([], ROOT)
    provenance = {"config": hash_config(config), "code": "c0de", "packages": {"numpy": "2"},
                  "catalogue": hash_catalogue(load_catalogue(config))}  # fmt: skip
    summary = {"provenance": provenance, "seconds": {"fit": 1.0},
               "expected": {"mu_hat": 1.0, "interval": [0.5, 1.5]}}  # fmt: skip
    summary["result_sha256"] = hash_result(summary)
    write_json(folder / "summary.json", summary)
    write_text(folder / "yields.csv", "region,process,yield,stat\nsignal,ggH,2.5,0.1\n")
    write_json(folder / "workspace.json", {"channels": []})
    write_json(folder / "fit/nn_score.json", {"mu_hat": 1.0})
    write_json(folder / "workspaces/m_vis.json", {"channels": [1.5]})
    write_json(folder / "gates/check_weights/verdict.json", {"passed": True})
    write_histograms(folder / "templates/templates.zip", {"h": histogram()})
    (folder / "models").mkdir()
    (folder / "models/fold0.onnx").write_bytes(network())
    record(folder)
    return folder


INPUTS = {
    "models/fold0.onnx": [],
    "gates/check_weights/verdict.json": [],
    "templates/templates.zip": ["models/fold0.onnx"],
    "workspaces/m_vis.json": ["templates/templates.zip"],
    "fit/nn_score.json": ["workspaces/m_vis.json"],
    "workspace.json": ["workspaces/m_vis.json"],
    "yields.csv": ["templates/templates.zip"],
    "summary.json": ["fit/nn_score.json", "gates/check_weights/verdict.json", "yields.csv"],
}
"""File → those it is made from, in the order in which they are made."""


def record(folder: Path, *names: str) -> None:
    """Record files as the jobs that made them do."""
    for name in names or INPUTS:
        inputs = {
            f"results/htautau/{source}": file_digest(folder / source) for source in INPUTS[name]
        }
        origin = {
            "rule": name.partition(".")[0], "wildcards": {}, "parameters": "0", "code": "c0de",
            "inputs": {**inputs, "data/file.root": None}, "packages": {"numpy": "2"},
        }  # fmt: skip
        record_files([folder / name], origin)


def histogram(change: float = 0.0, last_edge: float = 3.0) -> hist.Hist:
    filled = hist.Hist(
        hist.axis.StrCategory(["ggH", "ZTT"], name="process"),
        hist.axis.Variable([0.0, 1.0, last_edge], name="mass"),
        storage=hist.storage.Weight(),
    )
    filled.fill(process=["ggH", "ZTT", "ZTT"], mass=[0.5, 0.5, 2.0], weight=[1.0, 2.0, 4.0])
    filled.view(flow=True).value[1, 2] += change
    return filled


def network(weight: float = 2.0, operator: str = "MatMul", scorer: str = "MLP") -> bytes:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 1], [1.0, weight, 1.0])
    graph = helper.make_graph(
        [helper.make_node(operator, ["features", "w"], ["score"])], "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
        [weights],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    helper.set_model_props(model, {"scorer": scorer})
    content: bytes = model.SerializeToString()
    return content


def bundle(results: Path, path: Path, *overlays: Path) -> Path:
    config = read_config(overlays, ROOT)
    write_bundle(path, config, load_catalogue(config), results, ROOT)
    return path


def test_bundle_gives_the_same_configuration(results: Path, tmp_path: Path) -> None:
    """Defaults, analysis and catalogue are read again from the new folder alone."""
    path = bundle(results, tmp_path / "b.zip")
    content = read_bundle(path)
    assert set(content.results) == {
        "summary.json", "yields.csv", "workspace.json", "fit/nn_score.json", "models/fold0.onnx",
        "workspaces/m_vis.json", "templates/templates.zip", "gates/check_weights/verdict.json",
    }  # fmt: skip
    assert set(content.about["sha256"]) == set(content.results) - {"summary.json"}
    folder = tmp_path / "new"
    prepare_folder(content, folder, ROOT)
    again = read_config([], folder)
    assert hash_config(again) == content.about["config"]
    assert load_catalogue(again) == load_catalogue(read_config([], ROOT))
    assert (folder / "requirements.lock").read_bytes() == (ROOT / "requirements.lock").read_bytes()
    assert (folder / "Snakefile").is_file()


def test_bundle_holds_the_files_of_the_corrections(results: Path, tmp_path: Path) -> None:
    file = Path(read_config([], ROOT).folder) / "corrections/htautau.json"
    overlay = tmp_path / "o.yaml"
    overlay.write_text(
        f"corrections: {{top: {{file: {file}, correction: top_pt, inputs: {{pt: met}}, up: z_pt}}}}"
    )
    summary = read_json(results / "summary.json")
    summary["provenance"]["config"] = hash_config(read_config([overlay], ROOT))
    summary["result_sha256"] = hash_result(summary)
    rewrite("summary.json", summary)(results)
    content = read_bundle(bundle(results, tmp_path / "b.zip", overlay))
    folder = tmp_path / "new"
    prepare_folder(content, folder, ROOT)
    again = read_config([], folder)
    assert (
        hash_config(again) == content.about["config"] == hash_config(read_config([overlay], ROOT))
    )
    assert again.systematics["top"].corrects == "top"
    (path,) = again.corrections["top"].paths
    assert Path(path).is_relative_to(folder)
    assert Path(path).read_bytes() == file.read_bytes()


def test_equal_runs_give_equal_bundles(results: Path, tmp_path: Path) -> None:
    first, second = (bundle(results, tmp_path / name) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()


def change_digit(results: Path) -> None:
    path = results / "fit/nn_score.json"
    path.write_text(path.read_text(encoding="utf-8").replace("1.0", "1.1"), encoding="utf-8")


def rewrite(name: str, content: object, *, recorded: bool = True) -> Callable[[Path], None]:
    """Make a result again, and nothing that was made from it."""

    def change(results: Path) -> None:
        write_json(results / name, content)
        if recorded:
            record(results, name)

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda results: (results / name).unlink()


def remove_record(name: str) -> Callable[[Path], None]:
    return lambda results: record_path(results / name).unlink()


def change_record(name: str, **origin: object) -> Callable[[Path], None]:
    def change(results: Path) -> None:
        path = record_path(results / name)
        content = read_json(path)
        content["origin"] |= origin
        write_json(path, content)

    return change


def forget_origin(results: Path) -> None:
    path = record_path(results / "yields.csv")
    write_json(path, {k: v for k, v in read_json(path).items() if k != "origin"})


def add_fold(results: Path) -> None:
    """A network of a run with more folds, which is still there."""
    (results / "models/fold1.onnx").write_bytes(network(3.0))
    origin = {**read_json(record_path(results / "models/fold0.onnx"))["origin"], "parameters": "1"}
    record_files([results / "models/fold1.onnx"], origin)


def change_summary(results: Path) -> None:
    """With a new checksum, as if it had been written so."""
    summary = read_json(results / "summary.json")
    summary["expected"]["mu_hat"] = 1.1
    write_json(results / "summary.json", summary)
    record(results, "summary.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_digit, r"fit/nn_score\.json is damaged: its content is not what was written"),
        (remove("fit/nn_score.json"), r"fit/nn_score\.json is missing, from which .*summary\.json"),
        (remove("yields.csv"), r"yields\.csv is missing"),
        (remove("workspace.json"), r"workspace\.json is missing: the run is not finished"),
        (remove_record("workspace.json"), r"workspace\.json has no checksum record"),
        (remove_record("fit/nn_score.json"), r"fit/nn_score\.json has no checksum record"),
        (remove_record("templates/templates.zip"), r"templates\.zip has no checksum record"),
        (rewrite("workspaces/m_vis.json", {"channels": [1.6]}), "was made from another .*m_vis"),
        (rewrite("fit/nn_score.json", {"mu_hat": 2.0}), "summary.json was made from another"),
        (rewrite("workspaces/m_vis.json", {}, recorded=False), r"m_vis\.json is damaged"),
        (change_record("fit/nn_score.json", packages={}), None),
        (change_record("fit/nn_score.json", packages={"numpy": "1"}), "with numpy 1, the summary"),
        (change_record("fit/nn_score.json", packages=None), "packages is missing"),
        (change_record("fit/nn_score.json", rule=None), "rule is missing"),
        (change_record("yields.csv", rule="workspace", code="0"), "not come from the same run"),
        (
            change_record("yields.csv", rule="workspace", wildcards={"a": "b"}, code="0"),
            "made by different code of the rule workspace",
        ),
        (forget_origin, "does not say where yields.csv comes from"),
        (add_fold, r"fold0\.onnx are of one job|fold1\.onnx and .* are of one job"),
        (change_summary, "result_sha256 is .*, that of its content is"),
    ],
)
def test_results_that_are_not_of_one_run_as_it_was_written_are_not_bundled(
    results: Path, tmp_path: Path, change: Callable[[Path], None], message: str | None
) -> None:
    change(results)
    if message is None:
        bundle(results, tmp_path / "b.zip")
        return
    with pytest.raises(TaipanError, match=message) as error:
        bundle(results, tmp_path / "b.zip")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "b.zip").exists()


def test_data_that_are_others_now_are_noticed(results: Path, tmp_path: Path) -> None:
    """They may lie elsewhere, and of a large file only a part was read."""
    data = tmp_path / "data.root"
    data.write_bytes(b"events")
    path = record_path(results / "templates/templates.zip")
    content = read_json(path)
    content["origin"]["inputs"] |= {str(data): file_digest(data), "big.root": "sampled:0"}
    write_json(path, content)
    bundle(results, tmp_path / "a.zip")
    data.write_bytes(b"others")
    with pytest.raises(TaipanError, match=r"templates\.zip was made from another .*data\.root"):
        bundle(results, tmp_path / "b.zip")
    data.unlink()
    bundle(results, tmp_path / "b.zip")


def test_result_of_no_job_of_the_run_is_left_out(
    results: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_json(results / "fit/old.json", {"mu_hat": 3.0})
    record_files(
        [results / "fit/old.json"],
        {"rule": "fit", "wildcards": {}, "parameters": "0", "inputs": {}, "packages": {}},
    )
    with caplog.at_level("WARNING", "taipan"):
        content = read_bundle(bundle(results, tmp_path / "b.zip"))
    assert "fit/old.json" not in content.results
    assert "fit/old.json is not of this run and is left out" in caplog.text


def test_results_that_were_moved_are_bundled(results: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere/htautau"
    moved.parent.mkdir()
    shutil.move(results, moved)
    assert len(read_bundle(bundle(moved, tmp_path / "b.zip")).results) == len(INPUTS)


@pytest.mark.parametrize("name", ["summary.json", "yields.csv", "fit/nn_score.json"])
def test_bundle_whose_results_were_changed_is_not_read(
    results: Path, tmp_path: Path, name: str
) -> None:
    path = bundle(results, tmp_path / "b.zip")
    with zipfile.ZipFile(path) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    for text, replaced in (("changed", b" "), ("missing", None)):
        changed = {**entries, f"results/{name}": replaced}
        other = tmp_path / f"{text}.zip"
        with zipfile.ZipFile(other, "w") as archive:
            for entry, content in changed.items():
                if content is not None:
                    archive.writestr(entry, content)
        with pytest.raises(TaipanError, match=f"results/{name} (was changed|is missing)"):
            read_bundle(other)


def test_catalogue_that_was_edited_after_the_run_is_not_bundled(
    results: Path, tmp_path: Path
) -> None:
    """The bundle held a cross section that had made none of its numbers."""
    config = read_config([], ROOT)
    catalogue = load_catalogue(config)
    content = catalogue.model_dump(mode="json")
    content["datasets"]["DYJetsToLL"]["cross_section"]["value"] *= 1.01
    edited = Catalogue.model_validate(content)
    with pytest.raises(TaipanError, match=r"not made with .*/datasets/fastsim.yaml as it is"):
        write_bundle(tmp_path / "b.zip", config, edited, results, ROOT)
    assert not (tmp_path / "b.zip").exists()
    elsewhere = catalogue.model_copy(update={"mirrors": ["https://example.org/"]})
    write_bundle(tmp_path / "b.zip", config, elsewhere, results, ROOT)
    summary = read_json(results / "summary.json")
    del summary["provenance"]["catalogue"]
    write_json(results / "summary.json", summary)
    with pytest.raises(TaipanError, match="does not say which catalogue it was made with"):
        write_bundle(tmp_path / "c.zip", config, catalogue, results, ROOT)


def test_password_of_a_mirror_is_not_bundled(results: Path, tmp_path: Path) -> None:
    """The hash of the configuration does not know the mirrors either."""
    overlay = tmp_path / "o.yaml"
    overlay.write_text(
        "remote: {mirrors: ['https://alice:s3cret@example.org/data', 'root://bob@host//x']}\n",
        encoding="utf-8",
    )
    path = bundle(results, tmp_path / "b.zip", overlay)
    run = yaml.safe_load(read_bundle(path).project["config/config.yaml"])
    assert run["remote"]["mirrors"] == ["https://example.org/data", "root://host//x"]
    with zipfile.ZipFile(path) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert not any(secret in content for secret in (b"alice", b"s3cret", b"bob"))


def test_bundle_of_another_configuration_is_refused(results: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "o.yaml"
    overlay.write_text("seed: 7\n", encoding="utf-8")
    with pytest.raises(TaipanError, match="was made with configuration"):
        bundle(results, tmp_path / "b.zip", overlay)
    assert not (tmp_path / "b.zip").exists()


def test_new_folder_must_be_empty(results: Path, tmp_path: Path) -> None:
    content = read_bundle(bundle(results, tmp_path / "b.zip"))
    with pytest.raises(TaipanError, match="is not empty"):
        prepare_folder(content, tmp_path, ROOT)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("project/../../evil", "leaves the folder"),
        ("project//etc/evil", "leaves the folder"),
        ("project/Snakefile", "may be code"),
        ("project/scripts/fit.py", "may be code"),
        ("project/./scripts/fit.py", "may be code"),
        ("project/src/taipan/cli.py", "may be code"),
        ("project/snakemake.py", r"'snakemake\.py' may be code"),
        ("project/numpy/__init__.py", "may be code"),
        ("project/sitecustomize.pyc", "may be code"),
        ("project/config/module.so", "may be code"),
        ("project/scripts/fit.json", "which is code"),
        ("project/./src/a.yaml", "which is code"),
        ("project/profiles/default/config.yaml", "which is code"),
        ("project/Profiles/default/config.yaml", "which is code"),
        ("project/.snakemake/a.json", "is hidden"),
        ("project/config/.hidden/a.yaml", "is hidden"),
        ("results/../evil.json", "leaves the folder"),
        ("results/model.keras", "may be code"),
    ],
)
def test_hostile_bundle(results: Path, tmp_path: Path, entry: str, message: str) -> None:
    path = bundle(results, tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "print('owned')")
    with pytest.raises(TaipanError, match=message):
        prepare_folder(read_bundle(path), tmp_path / "new", ROOT)
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "new").exists()


def changed(content: Bundle, file: str, **keys: Any) -> Bundle:
    """The bundle with other keys in one of its YAML files."""
    values = {**yaml.safe_load(content.project[file]), **keys}
    return replace(content, project={**content.project, file: yaml.safe_dump(values).encode()})


RUN, ANALYSIS = "config/config.yaml", "config/analyses/htautau/analysis.yaml"


@pytest.mark.parametrize(
    ("file", "keys", "message"),
    [
        (RUN, {"analysis": "evil"}, "analysis: 'evil' is not a folder of"),
        (RUN, {"analysis": str(ROOT / "config/analyses/htautau")}, "analysis: .* is not that of"),
        (RUN, {"results": "/elsewhere"}, "results: '/elsewhere' is not allowed"),
        (RUN, {"results": "results/../../.."}, "results: .* is not allowed"),
        (RUN, {"skim": {"executor": "dask", "dask_scheduler": "tcp://evil:1"}},
         "skim.executor: 'dask' is not allowed"),
        (RUN, {"files": "/home", "remote": {"access": "fetch"}}, "files: '/home' is outside"),
        (RUN, {"files": "a/../..", "remote": {"access": "fetch"}}, "files: 'a/../..' is outside"),
    ],
)  # fmt: skip
def test_bundle_does_not_choose_code_or_places(
    results: Path, tmp_path: Path, file: str, keys: dict[str, Any], message: str
) -> None:
    content = changed(read_bundle(bundle(results, tmp_path / "b.zip")), file, **keys)
    with pytest.raises(TaipanError, match=message):
        prepare_folder(content, tmp_path / "new", ROOT)
    assert not (tmp_path / "new").exists()


def test_user_may_name_a_folder_of_code_and_say_where_files_go(
    results: Path, tmp_path: Path
) -> None:
    """The code is the user's; a bundle has none."""
    content = read_bundle(bundle(results, tmp_path / "b.zip"))
    assert not [name for name in content.project if name.endswith(".py")]
    code = tmp_path / "mine/selection.py"
    code.parent.mkdir()
    code.write_text("# mine", encoding="utf-8")
    (code.parent / "analysis.yaml").touch()
    prepare_folder(content, tmp_path / "one", ROOT, analysis=str(code.parent))
    assert (tmp_path / "one/config/analyses/htautau/selection.py").read_bytes() == b"# mine"
    prepare_folder(content, tmp_path / "shipped", ROOT)
    copied = tmp_path / "shipped/config/analyses/htautau/selection.py"
    assert copied.read_bytes() == (ROOT / "config/analyses/htautau/selection.py").read_bytes()
    fetched = changed(content, RUN, files="/home", remote={"access": "fetch"})
    prepare_folder(fetched, tmp_path / "two", ROOT, {"files": str(tmp_path / "data")})


def test_a_run_imports_nothing_from_its_folder(tmp_path: Path, monkeypatch: Any) -> None:
    """Whatever lies there: `python -m` would look into it first."""
    (tmp_path / "snakemake.py").write_text("open('owned', 'w')", encoding="utf-8")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with pytest.raises(TaipanError, match="the run in .* failed"):  # there is no Snakefile
        command._run(tmp_path, 1, [])
    assert not (tmp_path / "owned").exists()


def test_what_a_bundle_must_state(results: Path, tmp_path: Path) -> None:
    path = bundle(results, tmp_path / "b.zip")
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("bundle.json"))
    for key in ("analysis", "sha256", "platform"):
        other = tmp_path / f"{key}.zip"
        with zipfile.ZipFile(other, "w") as archive:
            archive.writestr("bundle.json", json.dumps({**about, key: 1}))
        with pytest.raises(TaipanError, match=f"bundle.json: {key} is missing or of another type"):
            read_bundle(other)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"x" * 1000])
def test_not_a_bundle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(TaipanError, match=r"b\.zip is not a readable bundle"):
        read_bundle(tmp_path / "b.zip")


def files(**changes: Any) -> dict[str, bytes]:
    content = {"mu": 1.0, "zero": 0.0, "label": "x", "list": [1, 2], "seconds": 3.0, **changes}
    return {
        "summary.json": json.dumps(content).encode(),
        "yields.csv": b"region,process,yield\nsignal,ggH,2.0\n",
    }


@pytest.mark.parametrize(
    ("changes", "where", "relative"),
    [
        ({}, None, 0.0),
        ({"seconds": 9.0}, None, 0.0),
        ({"mu": 1.0 + 1e-7}, None, 0.0),
        ({"zero": 1e-10}, None, 0.0),
        ({"mu": 1.01}, "summary.json: mu", 0.01 / 1.01),
        ({"list": [1, 4]}, "summary.json: list[1]", 0.5),
        ({"list": [1]}, "summary.json: list[1]", float("inf")),
        ({"label": "y"}, "summary.json: label", float("inf")),
        ({"mu": True}, "summary.json: mu", float("inf")),
        ({"mu": float("nan")}, "summary.json: mu", float("inf")),
    ],
)
def test_every_number_is_compared(
    changes: dict[str, Any], where: str | None, relative: float
) -> None:
    compared, differences = compare_results(files(), files(**changes), 1e-6)
    assert compared == 6
    assert [item.where for item in differences] == ([where] if where else [])
    if where:
        assert differences[0].relative == pytest.approx(relative)


def test_yields_are_compared_by_region_and_process() -> None:
    other = {**files(), "yields.csv": b"region,process,yield\nsignal,ggH,2.2\n"}
    _, (difference,) = compare_results(files(), other, 1e-6)
    assert difference.where == "yields.csv: signal ggH.yield"
    table = format_differences(6, [difference], {"templates/templates.zip": False}, 1e-6)
    assert "| yields.csv: signal ggH.yield | 2.0 | 2.2 | 0.091 |" in table
    assert "| templates/templates.zip | no |" in table


def zipped(folder: Path, **changes: float) -> dict[str, bytes]:
    write_histograms(folder / "t.zip", {"h": histogram(**changes)})
    return {"templates/templates.zip": (folder / "t.zip").read_bytes()}


def test_contents_of_histograms_are_compared(tmp_path: Path) -> None:
    """12 values and as many variances, with overflows; two axes of name and edges."""
    compared, differences = compare_results(zipped(tmp_path), zipped(tmp_path), 1e-6)
    assert (compared, differences) == (2 * (3 * 4) + (1 + 2) + (1 + 3), [])
    _, (difference,) = compare_results(zipped(tmp_path), zipped(tmp_path, change=0.5), 1e-6)
    assert difference.where == "templates/templates.zip: h.values[1, 2]"
    assert (difference.published, difference.found) == (4.0, 4.5)
    assert difference.relative == pytest.approx(0.5 / 4.5)
    _, (difference,) = compare_results(zipped(tmp_path), zipped(tmp_path, last_edge=4.0), 1e-6)
    assert difference.where == "templates/templates.zip: h.axes[1].edges[2]"


def test_networks_are_compared() -> None:
    """Weights as numbers, operators exactly, metadata not."""
    name = "models/fold0.onnx"
    compared, differences = compare_results({name: network()}, {name: network(scorer="x")}, 0.0)
    assert (compared, differences) == (4, [])
    _, (difference,) = compare_results({name: network()}, {name: network(2.5)}, 1e-6)
    assert (difference.where, difference.found) == (f"{name}: w[1, 0]", 2.5)
    _, (difference,) = compare_results({name: network()}, {name: network(operator="Gemm")}, 1e-6)
    assert (difference.where, difference.relative) == (f"{name}: graph", float("inf"))


def test_missing_file_is_a_difference(tmp_path: Path) -> None:
    compared, differences = compare_results(zipped(tmp_path), {}, 1e-6)
    assert compared == 31
    assert differences
    assert all(item.relative == float("inf") for item in differences)
    json.dumps([item.found for item in differences], allow_nan=False)


@pytest.mark.parametrize(
    ("change", "tolerance", "status"),
    [(0.0, 0.0, 0), (1e-12, 1e-6, 0), (1e-12, 0.0, 1), (0.5, 1e-6, 1)],
)
def test_exit_status_says_whether_a_run_is_reproduced(
    results: Path, tmp_path: Path, monkeypatch: Any, change: float, tolerance: float, status: int
) -> None:
    """With tolerance 0 the files must be the same to the byte."""
    path, folder = bundle(results, tmp_path / "b.zip"), tmp_path / "new"

    def run(where: Path, cores: int, config: Any) -> None:
        shutil.copytree(results, where / "results/htautau")
        changed = {"h": histogram(change)}
        write_histograms(where / "results/htautau/templates/templates.zip", changed)

    monkeypatch.setattr(command, "_run", run)
    words = ["reproduce", str(path), "--folder", str(folder), "--root", str(ROOT)]
    assert main([*words, "--tolerance", str(tolerance)]) == status
    report = json.loads((folder / "reproduction.json").read_text(encoding="utf-8"))
    assert len(report["differences"]) == (change == 0.5)
    assert report["identical_files"]["templates/templates.zip"] is (change == 0.0)


def test_origin_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A ZIP file, which has no provenance of its own, and JSON, which has."""
    archive, document = tmp_path / "templates.zip", tmp_path / "fit.json"
    archive.write_bytes(b"t")
    write_json(document, {"provenance": {"stage": "fit"}})
    record_files([archive], {"rule": "combine_templates"})
    assert read_origin(archive)["recorded"] == {"rule": "combine_templates"}
    assert read_origin(document)["embedded"] == {"stage": "fit"}
    assert read_origin(document)["recorded"] is None
    assert main(["provenance", str(archive)]) == 0
    assert json.loads(capsys.readouterr().out)["recorded"]["rule"] == "combine_templates"
    archive.write_bytes(b"changed")
    assert main(["provenance", str(archive)]) == 1
    assert "is damaged" in capsys.readouterr().err
    shutil.rmtree(record_path(archive).parent)
    with pytest.raises(TaipanError, match="carries no provenance"):
        read_origin(archive)
