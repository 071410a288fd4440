"""What is known of sources: kept for the next process, and never for another source."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from taipan.code_facts import CodeFacts, read_facts
from taipan.code_memory import KnownFacts, cache_beside

FACTS = CodeFacts("f" * 64, ("taipan.atomic",), ("taipan.rooms",), ("./cuts",), ("selection.py",))


def find(known: KnownFacts, source: bytes = b"X = 1", facts: CodeFacts | None = None) -> CodeFacts:
    """Find the facts of a module, where `facts` is what a reader would say; None: it must not."""

    def read() -> CodeFacts:
        assert facts is not None, "the source is read again"
        return facts

    return known.find("taipan.some", source, read)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that knows the facts of one source."""
    path = tmp_path / "cache/facts.json"
    known = KnownFacts(path)
    assert find(known, facts=FACTS) == FACTS
    known.save()
    return path


def test_facts_are_found_in_the_next_process(store: Path) -> None:
    assert find(KnownFacts(store)) == FACTS


def test_changed_source_is_read_again(store: Path) -> None:
    other = CodeFacts("0" * 64)
    known = KnownFacts(store)
    assert find(known, b"X = 2", other) == other
    known.save()
    assert find(KnownFacts(store), b"X = 2") == other


def test_facts_of_another_reader_are_not_used(store: Path) -> None:
    """A new version of this project may see more in the same source."""
    content = json.loads(store.read_text())
    store.write_text(json.dumps({**content, "reader": "0" * 64}))
    other = CodeFacts("0" * 64)
    assert find(KnownFacts(store), facts=other) == other


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"modules": {}}', '{"reader": null}', "{", "null", "READER"]
)
def test_damaged_store_is_as_good_as_none(store: Path, text: str) -> None:
    reader = json.loads(store.read_text())["reader"]
    damaged = json.dumps({"reader": reader, "modules": {"taipan.some": ["short"]}})
    store.write_text(damaged if text == "READER" else text)
    assert find(KnownFacts(store), facts=FACTS) == FACTS


def test_nothing_is_kept_where_python_keeps_no_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(tmp_path / "module.py")
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    stored = cache_beside(source)
    assert stored is not None
    assert stored.name.startswith("module.")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert cache_beside(source) is None
    known = KnownFacts(None)
    assert find(known, facts=FACTS) == FACTS
    known.save()
    assert list(tmp_path.iterdir()) == []


def test_store_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    known = KnownFacts(tmp_path / "file/facts.json")
    find(known, facts=FACTS)
    known.save()
    assert (tmp_path / "file").read_text() == ""


def test_facts_of_a_source() -> None:
    text = (
        "from .. import b\nfrom .c import d\nimport e.f\n"
        "load_analysis(1)\nimport_room('.g')\nimport_module('h')\n"
    )
    found = read_facts(text, "p.q.m", is_package=False)
    assert found.modules == ("e", "e.f", "h", "p", "p.b", "p.q.c", "p.q.c.d", "p.q.g")
    assert (found.rooms, found.files, found.loaded) == (("p.q.g",), (), ("selection.py",))
    assert "p.q.m.c" in read_facts(text, "p.q.m", is_package=True).modules
    script = read_facts(text, "folder/m.py", is_package=False)
    assert script.files == ("./..", "./../b", "./c", "./c/d")
