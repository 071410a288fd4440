"""Reading, merging and validating configuration files."""

from __future__ import annotations

from pathlib import Path

import pytest

from taipan.config.fields import Fields
from taipan.config.load import (
    check_files,
    dump,
    load_catalogue,
    load_config,
    merge,
    read_config,
    read_yaml,
)
from taipan.config.model import Config
from taipan.config.sections.training import Training
from taipan.errors import TaipanError

ROOT = Path(__file__).parents[2]


def message(function, *arguments):
    with pytest.raises(TaipanError) as error:
        function(*arguments)
    text = str(error.value)
    assert "pydantic" not in text
    assert "http" not in text
    return text


@pytest.fixture
def write(tmp_path):
    def write(text, name="file.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' is a duplicate of line 1; keys must be unique"),
        ("x:\n  s: {k: 1, k: 2}\n", "line 2: key 'k' is a duplicate of line 2"),
        ("x:\n  - a: 1\n    a: 2\n", "line 3: key 'a' is a duplicate of line 2"),
        ("a: [1, 2\nb: 3\n", "line 2: not valid YAML"),
        ("a: 1\n\tb: 2\n", "line 2: not valid YAML"),
        ("a: \x01\n", "not valid YAML: unacceptable character #x0001"),
        ("on: 1\n", "line 1: key on is not text; put it in quotes"),
        ("- 1\n- 2\n", "[1, 2] is not a mapping of keys to values"),
        ("a: !!python/object/apply:os.getcwd []\n", "line 1: not valid YAML"),
    ],
)
def test_bad_yaml_is_named_with_file_and_line(write, text, expected):
    path = write(text)
    assert f"{path}: {expected}" in message(read_yaml, path)


def test_equal_keys_in_different_sections_and_merge_keys_are_fine(write):
    path = write("base: &base {a: 1, b: 2}\nx: {<<: *base, b: 3}\ny: {a: 1}\n")
    assert read_yaml(path)["x"] == {"a": 1, "b": 3}


def test_empty_file_is_an_empty_mapping(write):
    assert read_yaml(write("# nothing\n")) == {}


def test_missing_and_binary_files_are_named(tmp_path):
    assert "none.yaml: cannot be read: No such file" in message(read_yaml, tmp_path / "none.yaml")
    (tmp_path / "x.yaml").write_bytes(b"a: \xff\xfe")
    assert "x.yaml: is not UTF-8 text" in message(read_yaml, tmp_path / "x.yaml")


def test_check_files_reports_every_bad_file(write):
    good = write("a: 1\n", "good.yaml")
    bad = [write("a: 1\na: 2\n", name) for name in ("one.yaml", "two.yaml")]
    check_files([good])
    lines = message(check_files, [good, *bad]).splitlines()
    assert [line.split(":")[0] for line in lines] == [str(path) for path in bad]


def test_merge_goes_into_mappings_and_replaces_the_rest():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 4, "e": {"f": 1}}
    merged = merge(base, {"a": {"c": [3]}, "d": {"x": 1}, "e": 5})
    assert merged == {"a": {"b": 1, "c": [3]}, "d": {"x": 1}, "e": 5}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 4, "e": {"f": 1}}


def test_overrides_reach_run_and_analysis_keys():
    config = load_config(
        {"training": {"folds": 3}, "systematics": {"luminosity": {"size": 0.05}}}, ROOT
    )
    assert config.training.folds == 3
    assert config.training.epochs == 100
    assert config.systematics["luminosity"].size == 0.05
    assert config.systematics["luminosity"].samples == ["ggH", "qqH", "TT", "ZLL", "ZTT"]
    assert list(config.samples) == ["ggH", "qqH", "QCD", "W", "TT", "ZLL", "ZTT"]


def test_null_removes_an_entry_of_a_mapping_with_free_names():
    everything = load_config({}, ROOT)
    config = load_config({"systematics": {"pileup": None}, "control_plots": {"mjj": None}}, ROOT)
    assert set(everything.systematics) - set(config.systematics) == {"pileup"}
    assert set(everything.control_plots) - set(config.control_plots) == {"mjj"}


def test_null_is_a_value_where_the_model_says_so():
    """`fit.reference: null` means no reference fit; removing the key would give its default."""
    assert load_config({}, ROOT).fit.reference == "m_vis"
    assert load_config({"fit": {"reference": None}}, ROOT).fit.reference is None


def test_null_replaces_a_number_to_change_the_form_of_a_rate():
    change = {"systematics": {"luminosity": {"size": None, "up": 0.02, "down": -0.03}}}
    luminosity = load_config(change, ROOT).systematics["luminosity"]
    assert (luminosity.size, luminosity.up, luminosity.down) == (None, 0.02, -0.03)


def test_numbers_that_yaml_reads_as_text_are_numbers():
    """YAML 1.1 wants 1.0e-5; Snakemake hands on the text of 1e-5."""
    assert load_config({"training": {"l2": "1e-5"}}, ROOT).training.l2 == 1e-5


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            {"training": {"fold": 3}},
            "training.fold: 'fold' is not a key; did you mean 'folds'? (region, folds, networks, ",
        ),
        (
            {"training": {"adversary": {"control_sample": {"data": "data"}}}},
            "training.adversary.control_sample.data: 'data' is not a key (region, simulation, ",
        ),
        ({"fit": {"poi": ["mu", "nu"]}}, 'fit.poi: ["mu", "nu"] is not allowed (name ('),
        ({"fit": {"poi": ""}}, "fit.poi: '' is not allowed"),
        (
            {"skim": {"chunk_minutes": 1.0}},
            "skim.chunk_minutes: 'chunk_minutes' is not a key; did you mean 'chunk_events'? (",
        ),
        (
            {"trainings": {}},
            "trainings: 'trainings' is not a key; did you mean 'training'? (analysis, ",
        ),
        (
            {"systematics": {"trigger": {"sizes": 1}}},
            "systematics.trigger.sizes: 'sizes' is not a key; did you mean 'size'? (kind, group, ",
        ),
        (
            {"systematics": {"triggr": None}},
            "systematics.triggr: null removes an entry, but there is none of that name; did you "
            "mean 'trigger'? (luminosity, tau_energy_scale_1prong",
        ),
        ({"skim": {"envelope": {"jet": None}}}, "skim.envelope.jet: null removes an entry"),
        (
            {"systematics": {"trigger": {"kind": "rat"}}},
            "systematics.trigger.kind: 'rat' is not allowed (one of control_residual, counts, "
            "kinematic, ",
        ),
        (
            {"systematics": {"new": {"kind": "rate", "size": 0.1}}},
            "systematics.new.samples: missing (list of text, at least 1: Samples it acts on.)",
        ),
        ({"training": {"folds": 1}}, "training.folds: 1 is not allowed (integer, ≥ 2, ≤ 20)"),
        ({"training": {"folds": 2.5}}, "training.folds: 2.5 is not allowed (integer, ≥ 2, ≤ 20)"),
        (
            {"training": {"hidden_layers": [64, "wide"]}},
            "training.hidden_layers[1]: 'wide' is not allowed (integer, ≥ 1)",
        ),
        (
            {"training": {"hidden_layers": [True]}},
            "training.hidden_layers[0]: true is not allowed (integer, ≥ 1)",
        ),
        (
            {"training": {"hidden_layers": []}},
            "training.hidden_layers: [] is not allowed (list of integers (≥ 1), at least 1)",
        ),
        ({"training": {"dropout": True}}, "training.dropout: true is not allowed (number, ≥ 0, "),
        ({"seed": False}, "seed: false is not allowed (integer, ≥ 0)"),
        ({"training": None}, "training: null is not allowed (section with the keys region, folds"),
        ({"systematics": None}, "systematics: null is not allowed (mapping of names to sections)"),
        ({"systematics": []}, "systematics: [] is not allowed (mapping of names to sections)"),
        ({"samples": {"W": {"colour": "red"}}}, "samples.W.colour: 'red' is not allowed (colour "),
        ({"samples": {"W+": {"label": "W"}}}, "samples.W+: 'W+' is not a valid name (letters, "),
        (
            {"samples": {"QCD": {"datasets": ["TTbar"]}}},
            "samples.QCD: a sample estimated from data takes no `datasets`",
        ),
        ({"samples": {"new": {"label": "new"}}}, "samples.new: a simulated sample needs at least "),
        ({"fit": {"poi_range": [0]}}, "fit.poi_range[1]: missing (number)"),
        ({"fit": {"poi_range": [0, "a"]}}, "fit.poi_range[1]: 'a' is not allowed (number)"),
        ({"fastsim": {"events": {"x": 0}}}, "fastsim.events.x: 0 is not allowed (integer, > 0)"),
        (
            {"fastsim": {"mismodelling": {"size": float("inf")}}},
            "fastsim.mismodelling.size: Infinity is not allowed (number, ≥ -5, ≤ 5)",
        ),
        ({"results": ""}, "results: '' is not allowed (text, not empty)"),
        ({"catalogue": "../x"}, "catalogue: '../x' is not allowed (name of a file, without .yaml)"),
        ({"analysis": "hgg"}, "analysis: 'hgg' is not a folder of "),
        ({"analysis": "../x"}, "analysis: '../x' is not the folder of an analysis"),
        ({"analysis": ["htautau"]}, 'analysis: ["htautau"] is not the name of an analysis'),
    ],
)
def test_message(overrides, expected):
    assert message(load_config, overrides, ROOT).startswith(expected)


def test_every_problem_is_a_line():
    lines = message(load_config, {"seed": -1, "training": {"folds": 1, "x": 2}}, ROOT).splitlines()
    assert {line.split(":")[0] for line in lines} == {"seed", "training.folds", "training.x"}


def test_run_key_in_an_analysis_is_refused(write):
    """What is run and where files lie is nobody else's choice."""
    text = (ROOT / "config/analyses/htautau/analysis.yaml").read_text(encoding="utf-8")
    path = write(text + "\nseed: 5\n", "config/analyses/htautau/analysis.yaml")
    text = message(load_config, {}, path.parents[3])
    assert text == (
        f"{path}: seed: not a key of an analysis; write it in config/config.yaml or an overlay"
    )


def test_run_key_in_an_analysis_is_its_default(write):
    """Over that of the model, below the overlays, even where these say what the model says."""
    text = (ROOT / "config/analyses/htautau/analysis.yaml").read_text(encoding="utf-8")
    text = text.replace("training:\n", "training:\n  folds: 3\n  epochs: 7\n", 1)
    path = write(text, "config/analyses/htautau/analysis.yaml")
    root = path.parents[3]
    write((ROOT / "config/config.yaml").read_text(encoding="utf-8"), "config/config.yaml")
    config = read_config([], root)
    assert (config.training.folds, config.training.epochs) == (3, 7)
    config = load_config({"training": {"folds": Training().folds}}, root)
    assert (config.training.folds, config.training.epochs) == (5, 7)


@pytest.mark.parametrize("key", ["analysis", "folder"])
def test_an_analysis_does_not_say_where_it_lies(write, key):
    text = (ROOT / "config/analyses/htautau/analysis.yaml").read_text(encoding="utf-8")
    path = write(f"{text}\n{key}: other\n", "config/analyses/htautau/analysis.yaml")
    assert f"{key}: " in message(load_config, {}, path.parents[3])


@pytest.mark.parametrize(
    ("file", "where"),
    [
        ("corrections/htautau.json", "mine/corrections/htautau.json"),
        ("/elsewhere/sf.json", "/elsewhere/sf.json"),
    ],
)
def test_files_of_weights_count_from_the_folder(write, monkeypatch, tmp_path, file, where):
    """Those of an overlay count from the working directory, as all paths do."""
    text = (ROOT / "config/analyses/htautau/analysis.yaml").read_text(encoding="utf-8")
    write(text.replace("corrections/htautau.json", file), "mine/analysis.yaml")
    monkeypatch.chdir(tmp_path)
    overlay = {"weights": {"top_pt": {"file": "here.json"}}}
    config = load_config({"analysis": "./mine", **overlay}, ROOT)
    assert (config.analysis, config.folder) == ("mine", "mine")
    assert (config.weights["z_pt"].file, config.weights["top_pt"].file) == (where, "here.json")


@pytest.mark.parametrize("name", ["a b", "1st", "a-b"])
def test_name_of_a_folder_is_also_that_of_the_results(write, name):
    path = write("title: none\n", f"{name}/analysis.yaml")
    text = message(load_config, {"analysis": str(path.parent)}, ROOT)
    assert "letters, digits and _ are allowed" in text


def test_catalogue_errors_name_the_file(write):
    config = load_config({"catalogue": "mine"}, ROOT)
    path = write(
        "name: mine\nkind: skim\ndescription: d\nlicence: l\ndatasets:\n"
        "  A: {files: [a.root], is_data: false}\n"
        "  B: {files: [], is_data: true, luminosity: {value: -1, unit: fb-1, source: test}}\n",
        "config/analyses/htautau/datasets/mine.yaml",
    )
    config = config.model_copy(update={"folder": str(path.parents[1])})
    assert message(load_catalogue, config).splitlines() == [
        f"{path}: kind: 'skim' is not allowed (one of simulation, skims, nanoaod, tables)",
        f"{path}: datasets.A: a simulated dataset needs `cross_section`",
        f"{path}: datasets.B.files: [] is not allowed (list of text, at least 1)",
        f"{path}: datasets.B.luminosity.value: -1 is not allowed (number, > 0)",
    ]


def test_catalogue_has_the_name_of_its_file(write):
    config = load_config({"catalogue": "mine"}, ROOT)
    path = write(
        "name: other\nkind: simulation\ndescription: d\nlicence: l\n"
        "datasets: {A: {files: [a.root], is_data: true}}\n",
        "config/analyses/htautau/datasets/mine.yaml",
    )
    text = message(load_catalogue, config.model_copy(update={"folder": str(path.parents[1])}))
    assert text == f"{path}: name: 'other' is not the name of the file (mine)"


def test_unknown_catalogue_lists_the_files():
    text = message(load_catalogue, load_config({"catalogue": "none"}, ROOT))
    assert "catalogue: 'none' is not a file of" in text
    assert "cms-2012-skims" in text


def test_later_overlays_win(write):
    first = write("seed: 1\ntraining: {folds: 3, epochs: 7}\n", "a.yaml")
    second = write("seed: 2\ntraining: {folds: 4}\n", "b.yaml")
    config = read_config([first, second], ROOT)
    assert (config.seed, config.training.folds, config.training.epochs) == (2, 4, 7)


def test_overlay_with_a_duplicate_key_is_refused(write):
    path = write("seed: 1\nseed: 2\n")
    assert f"{path}: line 2: key 'seed' is a duplicate" in message(read_config, [path], ROOT)


def test_dump_loads_again_as_the_same_configuration():
    config = load_config({"fit": {"reference": None}}, ROOT)
    assert Config.model_validate(dump(config)) == config


def test_patterns_of_the_model_have_words():
    """A new pattern in the model shows up here as 'text matching', to be given words."""

    def nodes(value):
        if isinstance(value, dict):
            yield value
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                yield from nodes(inner)

    fields = Fields(Config)
    patterns = [node for node in nodes(fields.root) if isinstance(node.get("pattern"), str)]
    assert len(patterns) > 5
    assert not [node for node in patterns if "matching" in fields.describe(node)]


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ({"seed": "7"}, "seed: '7' is not allowed (integer, ≥ 0)"),
        ({"seed": True}, "seed: true is not allowed (integer, ≥ 0)"),
        ({"training": {"dropout": "0.1"}}, "training.dropout: '0.1' is not allowed (number, ≥ 0"),
        ({"training": {"hidden_layers": ["8"]}}, "training.hidden_layers[0]: '8' is not allowed"),
        ({"training": {"logit_bound": "6"}}, "training.logit_bound: '6' is not allowed (number"),
        ({"fit": {"poi_range": ["-20", 40]}}, "fit.poi_range[0]: '-20' is not allowed (number)"),
        ({"fit": {"unblind": "yes"}}, "fit.unblind: 'yes' is not allowed (true or false)"),
        ({"fit": {"unblind": 1}}, "fit.unblind: 1 is not allowed (true or false)"),
        ({"pileup": {"enabled": "true"}}, "pileup.enabled: 'true' is not allowed (true or"),
        ({"systematics": {"trigger": {"size": "0.02"}}}, "systematics.trigger.size: '0.02' is not"),
        ({"observables": {"m_vis": {"binning": [0, "50"]}}}, "observables.m_vis.binning[1]: '50'"),
        ({"fastsim": {"events": {"TTbar": "5"}}}, "fastsim.events.TTbar: '5' is not allowed"),
    ],
)
def test_text_is_no_number_and_no_truth(overrides, line):
    """A number in quotes passed, and so did 1 for true."""
    text = message(load_config, overrides, ROOT)
    assert text.startswith(line)
    assert "\n" not in text


def test_number_with_an_exponent_needs_no_point(write):
    """YAML 1.1 takes 1e-3 for text; nobody means that."""
    path = write("training: {learning_rate: 1e-3, l2: 5E-4}\nremote: {min_speed: +1.e-1}\n")
    config = read_config([path], ROOT)
    assert (config.training.learning_rate, config.training.l2) == (0.001, 0.0005)
    assert config.remote.min_speed == 0.1


@pytest.mark.parametrize("key", ["results", "skims", "files"])
def test_tilde_is_the_home_folder(key, monkeypatch):
    """`~/x` was the folder `~` of the project."""
    monkeypatch.setenv("HOME", "/home/someone")
    config = load_config({key: "~/x/y"}, ROOT)
    assert getattr(config, key) == "/home/someone/x/y"
    assert getattr(load_config({key: "a/~b"}, ROOT), key) == "a/~b"
    assert message(load_config, {key: "~nobody-of-that-name/x"}, ROOT) == (
        f"{key}: '~nobody-of-that-name/x' begins with '~nobody-of-that-name', which is no home "
        "folder (./~nobody-of-that-name/x)"
    )


def test_tilde_is_the_home_folder_of_every_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    config = load_config(
        {
            "skim": {"lumi_mask": "~/mask.json"},
            "decorrelation": {"compare": {"other": "~/models"}},
            "weights": {"w": {"file": "~/w.json"}},
        },
        ROOT,
    )
    assert config.skim.lumi_mask == "/home/someone/mask.json"
    assert config.decorrelation.compare == {"other": "/home/someone/models"}
    assert config.weights["w"].file == "/home/someone/w.json"


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            {"analysis": "htautua"},
            "analysis: 'htautua' .*did you mean 'htautau'?",
        ),
        ({"catalogue": "fastsm"}, "catalogue: 'fastsm' is not a file of .*did you mean 'fastsim'?"),
    ],
)
def test_name_of_a_file_gets_a_suggestion(overrides, line):
    with pytest.raises(TaipanError, match=line.replace("?", r"\?")):
        load_catalogue(load_config(overrides, ROOT))


@pytest.mark.parametrize(
    "mirror",
    [
        "https://me:s3/cr@h.org/", "https://me:s3 cr@h.org/", "https://me:s3#cr@h.org/",
        "https://me:s3@cr@h.org/", "https://me:s3'cr@h.org/", "https://me:s3\\cr@h.org/",
        "https://h.org:99999/", "https://:@/x", "https://[h/x", "root://h//x y", "https://h/?n=1",
    ],
)  # fmt: skip
def test_mirror_that_a_client_reads_in_another_way_is_refused(mirror):
    """A password with a slash made the user name the host that was asked."""
    with pytest.raises(TaipanError) as error:
        load_config({"remote": {"mirrors": [mirror]}}, ROOT)
    text = str(error.value)
    assert text.startswith(("remote.mirrors[0]: 'http", "remote.mirrors[0]: 'ro"))
    assert "is not the URL of a folder (https://HOST/FOLDER; special characters of" in text
    assert "s3" not in text
    assert "\n" not in text


def test_mirrors_with_ports_and_escaped_passwords_pass():
    mirrors = ["https://me:s3%2Fcr@h.org:8443/a@b/", "root://h.org//eos/x/", "http://[::1]:80/"]
    assert list(load_config({"remote": {"mirrors": mirrors}}, ROOT).remote.mirrors) == mirrors


def test_analysis_has_defaults_of_a_run_that_only_a_change_overrules(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    text = (ROOT / "config/analyses/htautau/analysis.yaml").read_text(encoding="utf-8")
    text = text.replace("training:\n", "training:\n  learning_rate: 0.01\n  folds: 3\n", 1)
    text = text.replace("pileup: {", "pileup: {max_weight: 2.0, ", 1)
    (folder / "analysis.yaml").write_text(text, encoding="utf-8")
    config = read_config([], ROOT, analysis=str(folder))
    assert (config.training.learning_rate, config.training.folds) == (0.01, 3)
    assert config.training.epochs == Training().epochs
    assert config.pileup.max_weight == 2.0
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("training: {folds: 4}\npileup: {enabled: false}\n", encoding="utf-8")
    config = read_config([overlay], ROOT, analysis=str(folder))
    assert (config.training.learning_rate, config.training.folds) == (0.01, 4)
    assert (config.pileup.max_weight, config.pileup.enabled) == (2.0, False)


def test_figures_are_labelled_by_catalogue_and_analysis():
    config = read_config([], ROOT)
    assert (config.experiment, config.energy) == ("CMS Open Data", 8.0)
    assert load_catalogue(config).label == "Taipan fastsim"
    reduced = config.model_copy(update={"catalogue": "cms-2012-reduced"})
    assert load_catalogue(reduced).label == ""
