"""Generated documents, examples and the command `taipan config`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from taipan.cli.main import main
from taipan.config.document import (
    BEGIN,
    default_text,
    document_texts,
    manual_text,
    schema_text,
    tables_text,
    write_documents,
)
from taipan.config.load import load_catalogue, load_config, read_config, read_yaml
from taipan.config.model import Config, Run
from taipan.datasets import Catalogue, data_datasets
from taipan.errors import TaipanError

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "config/examples").glob("*.yaml"))
REGENERATE = "run `taipan config write`"


@pytest.mark.parametrize("path", document_texts(ROOT), ids=lambda path: path.name)
def test_generated_document_has_not_drifted(path):
    assert path.read_text(encoding="utf-8") == document_texts(ROOT)[path], REGENERATE


def test_defaults_are_those_of_the_model():
    text = re.sub(r"(?m)^#(?! \S)", "", default_text())
    assert Run.model_validate(yaml.safe_load(text)) == Run()
    assert set(yaml.safe_load(text)) == set(Run.model_fields)


def test_default_file_sets_nothing_but_the_analysis():
    """What it set went before the defaults of an analysis."""
    assert yaml.safe_load(default_text()) == {"analysis": "htautau"}


def test_every_default_has_its_description():
    text = " ".join(line.strip().lstrip("# ") for line in default_text().splitlines())
    assert Run.model_fields["seed"].description in text
    assert len(re.findall(r"\[(?:integer|number|text|name|true|list|mapping|one of)", text)) >= 33


def test_default_lines_are_short():
    assert max(map(len, default_text().splitlines())) <= 100


@pytest.mark.parametrize(("top", "number"), [(Config, 75), (Catalogue, 30)])
def test_manual_names_every_key(top, number):
    """Counted through the model itself, not through its schema."""
    tables = tables_text()

    def leaves(model, path):
        for name, field in model.model_fields.items():
            inner = [
                option
                for option in (field.annotation, *getattr(field.annotation, "__args__", ()))
                if hasattr(option, "model_fields")
            ]
            named = str(field.annotation).startswith("dict")
            here = (*path, name)
            if inner:
                yield from leaves(inner[0], (*here, "NAME") if named else here)
            if not inner or named:
                yield ".".join(here)

    keys = list(leaves(top, ()))
    assert len(keys) > number
    set_by_the_loader = {"folder"}
    assert {key for key in keys if f"| `{key}` |" not in tables} <= set_by_the_loader


def test_manual_shows_defaults_made_by_factories():
    tables = tables_text()
    assert "| `training.hidden_layers` | list of integers (≥ 1), at least 1 | `[64, 64]`" in tables
    assert "| `tuning.space.layers` | list of integers (≥ 1), at least 1 | `[1, 2, 3]`" in tables
    assert "| `title` | text | *required* |" in tables
    assert "| `training.folds` | integer, ≥ 2, ≤ 20 | `5` |" in tables


def test_manual_describes_the_catalogue():
    """Its keys were to be found in the code alone."""
    tables = tables_text()
    _, _, part = tables.partition(
        "### Catalogue keys (`datasets/<catalogue>.yaml` of an analysis)\n"
    )
    for row in (
        "| `datasets.NAME.files` | list of text, at least 1 | *required* | Names of the files, ",
        "| `datasets.NAME.sizes` | mapping of names to integers (> 0) | `{}` | File → bytes; ",
        "| `datasets.NAME.adler32` | mapping of names to 8 hexadecimal digits | `{}` | File → ",
        "| `datasets.NAME.filter_efficiency` | section, or null | `null` | Fraction of the gener",
        "| `datasets.NAME.filter_efficiency.value` | number, > 0 | *required* | The number. |",
        "| `mirrors` | list of URLs (http, https, root) | `[]` | Base URLs (http, https, root) ",
    ):
        assert row in part, row
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    assert all(not line.endswith("|  |") for line in rows)  # each says what it means


def test_manual_keeps_its_prose():
    text = f"# Head\n{BEGIN}\nstale\n<!-- end of tables -->\ntail\n"
    new = manual_text(text)
    assert new.startswith(f"# Head\n{BEGIN}\n\n### Run keys")
    assert new.endswith("<!-- end of tables -->\ntail\n")
    assert "stale" not in new
    assert manual_text(new) == new


def test_manual_without_markers_is_refused():
    with pytest.raises(TaipanError, match=r"config/README.md: the lines .* are needed"):
        manual_text("# Head\n")


def test_missing_manual_is_named(tmp_path):
    with pytest.raises(TaipanError, match=r"README.md: cannot be read: No such file"):
        write_documents(tmp_path)


@pytest.fixture
def schema():
    content = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


@pytest.mark.parametrize(
    "path",
    [ROOT / "config/config.yaml", ROOT / "config/analyses/htautau/analysis.yaml", *EXAMPLES],
    ids=lambda path: path.name,
)
def test_schema_accepts_the_shipped_files(schema, path):
    assert [error.message for error in schema.iter_errors(read_yaml(path))] == []


@pytest.mark.parametrize(
    "content",
    [
        {"trainings": {}},
        {"training": {"folds": 1}},
        {"systematics": {"x": {"kind": "rat"}}},
        {"samples": {"a-b": {"label": "x"}}},
        {"samples": {"W": {"labels": "x"}}},
        {"fastsim": {"events": {"A": 0}}},
        {"training": None},
    ],
)
def test_schema_refuses(schema, content):
    assert not schema.is_valid(content)


@pytest.mark.parametrize(
    "content",
    [{"systematics": {"pileup": None}}, {"samples": {"W": {"colour": "#000000"}}}, {}],
)
def test_schema_accepts_a_part(schema, content):
    assert schema.is_valid(content)


def test_schema_has_the_defaults_of_factories():
    definitions = json.loads(schema_text())["$defs"]
    assert definitions["Training"]["properties"]["hidden_layers"]["default"] == [64, 64]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_is_valid_and_in_the_manual(path):
    config = read_config([path], ROOT)
    catalogue = load_catalogue(config)
    for name in data_datasets(config, catalogue):
        assert catalogue.dataset(name).is_data
    assert config.results == f"results/{path.stem}"
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    assert f"| `examples/{path.name}` |" in manual


def test_recipes_of_the_manual_are_valid():
    """Each YAML example of the manual is merged over the shipped analysis and must validate."""
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    recipes = re.findall(r"```yaml\n(.*?)```", manual, flags=re.DOTALL)
    assert len(recipes) == 4
    for recipe in recipes:
        load_config(yaml.safe_load(recipe), ROOT)


def test_check_command(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    overlay = tmp_path / "x.yaml"
    overlay.write_text(f"results: {tmp_path}\nfastsim: {{luminosity: 1.25}}\n", encoding="utf-8")
    assert main(["config", "check", "--config", str(overlay)]) == 0
    out = capsys.readouterr().out
    assert out == (
        "htautau on fastsim: 1.25 fb⁻¹, 7 samples, 6 regions (2 fitted), 21 features, "
        "29 systematics; no problem found\n"
    )


def test_check_command_on_an_error(capsys, tmp_path):
    overlay = tmp_path / "x.yaml"
    overlay.write_text("seed: -1\ntraining: {folds: 0}\n", encoding="utf-8")
    assert main(["config", "check", "--root", str(ROOT), "--config", str(overlay)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "taipan: error: seed: -1 is not allowed (integer, ≥ 0)\n"
        "training.folds: 0 is not allowed (integer, ≥ 2, ≤ 20)\n"
    )


def test_print_commands(capsys):
    assert main(["config", "defaults"]) == 0
    assert capsys.readouterr().out == default_text()
    assert main(["config", "schema"]) == 0
    assert capsys.readouterr().out == schema_text()
    assert main(["config", "manual"]) == 0
    assert tables_text() in capsys.readouterr().out


def test_quantities_command(capsys):
    assert main(["config", "quantities", "--root", str(ROOT)]) == 0
    out = capsys.readouterr().out
    assert "  mt_1         transverse mass of muon and MET [GeV]\n" in out
    assert "; at most skim.envelope.tau_pt\n" in out


def test_write_command_changes_only_what_drifted(capsys, tmp_path):
    (tmp_path / "config").mkdir()
    manual = tmp_path / "config/README.md"
    manual.write_text(f"{BEGIN}\n<!-- end of tables -->\n", encoding="utf-8")
    assert main(["config", "write", "--root", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    (tmp_path / "config/config.yaml").write_text("seed: 1\n", encoding="utf-8")
    assert main(["config", "write", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'config/config.yaml'}\n"
    assert (tmp_path / "config/config.yaml").read_text(encoding="utf-8") == default_text()


@pytest.mark.parametrize("arguments", [[], ["config"], ["config", "checks"]])
def test_wrong_command_line_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: taipan" in capsys.readouterr().err


def test_full_simulation_has_the_luminosity_of_2012():
    config = read_config([ROOT / "config/examples/fastsim-full.yaml"], ROOT)
    catalogue = load_catalogue(config)
    assert config.fastsim.luminosity == pytest.approx(4.412 + 7.055, abs=1e-12)
    assert set(config.fastsim.events) == {n for n, d in catalogue.datasets.items() if not d.is_data}
