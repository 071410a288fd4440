"""The pages of the documentation: links resolve, each page has its place on the site."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def documents() -> Any:
    """The module `.ci/documents.py`."""
    spec = importlib.util.spec_from_file_location("documents", ROOT / ".ci/documents.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
