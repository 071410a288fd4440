"""The pages of the documentation: links resolve, each page has its place on the site."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pages import PAGES, sentences

ROOT = Path(__file__).parents[2]


def load(name: str) -> Any:
    """Load a module of the folder `.ci`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f".ci/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def documents() -> Any:
    """The module `.ci/documents.py`."""
    return load("documents")


def test_links_resolve(documents: Any) -> None:
    """Those of all pages, with their anchors."""
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in documents.documents()}
    anchors = {path: documents.anchors(text) for path, text in texts.items()}
    broken, number = [], 0
    for path, text in texts.items():
        for found, target, anchor in documents.links(text, path):
            number += 1
            if not (ROOT / target).exists() or (anchor and anchor not in anchors[target]):
                broken.append(f"{path}: {found[2]}")
        own = re.findall(r"\]\(#([^)]+)\)", documents.prose(text))
        broken += [f"{path}: #{anchor}" for anchor in own if anchor not in anchors[path]]
    assert number > 200
    assert broken == []


def test_every_page_is_in_the_navigation_once(documents: Any) -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    listed = re.findall(r": (\S+\.md)$", text, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == {documents.site_path(path) for path in documents.documents()}


def test_a_link_in_code_is_none(documents: Any) -> None:
    text = "# A `b/<c>` D\n`[no](x.md)`\n\n```\n[no](y.md)\n# not\n```\n[yes](../z.md#a-bc-d)\n"
    assert [(path, anchor) for _, path, anchor in documents.links(text, "docs/howto/p.md")] == [
        ("docs/z.md", "a-bc-d")
    ]
    assert documents.anchors(text) == {"a-bc-d"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_tutorials_and_how_to_pages_are_easy_to_read(page: Path) -> None:
    """Mean sentence of at most 18 words, none above 35; a how-to page fits on two screens."""
    found = sentences(page.read_text(encoding="utf-8"))
    assert sum(found) / len(found) <= 18.0
    assert max(found) <= 35
    if page.parent.name == "howto" and page.stem != "index":
        assert sum(found) <= 250


@pytest.mark.parametrize("name", ["adversary", "negative_weights", "training"])
def test_a_page_leads_before_it_explains(name: str) -> None:
    """What it is for, an example and the way to the tables stand first, in short sentences."""
    text = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    lead = text[: text.index(f"({name}_measurements.md)")]
    found = sentences(lead)
    assert "```yaml" in lead
    assert 40 < sum(found) < 400
    assert sum(found) / len(found) <= 18.0


def test_words_of_a_sentence_are_counted() -> None:
    text = "# None\n\nOne two, `three four` five. Six\nseven?\n\n| a | b |\n1. [Eight](x) nine.\n"
    assert sentences(text) == [4, 2, 2]
    long = " ".join(["word"] * 40)
    assert sentences(f"{long}.\n") == [40]


def test_reference_follows_the_code() -> None:
    """The pages of commands and stages are those that the code gives now."""
    reference = load("reference")
    for path, text in reference.texts().items():
        assert path.read_text(encoding="utf-8") == text, "run `python .ci/reference.py`"
    commands, stages = reference.texts().values()
    assert "| `--limit` |  | CLs limit, asymptotic. |" in commands
    assert "| `events` | files of each dataset | Dataset → Parquet files of the skim. |" in stages


def test_glossary_is_sorted_and_short() -> None:
    text = (ROOT / "docs/reference/glossary.md").read_text(encoding="utf-8")
    rows = [row.strip("| ").split(" | ") for row in text.splitlines() if row.startswith("| ")][2:]
    words = [word.strip("`").replace("μ (mu)", "mu").lower() for word, _ in rows]
    assert words == sorted(words)
    assert len(words) > 50
    assert max(len(meaning.split()) for _, meaning in rows) <= 40
