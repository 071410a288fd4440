"""The page of the architecture names every room, and its order is the one that is checked."""

from __future__ import annotations

import re
import tomllib

from tests.conftest import ROOT

PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]


def rooms() -> set[str]:
    return {path.parent.name for path in (ROOT / "src/taipan").glob("*/__init__.py")}


def test_every_room_is_described_once() -> None:
    table = PAGE.split("## Who may")[0].splitlines()
    cells = [line.split("|")[1] for line in table if line.startswith("| `")]
    described = [name for cell in cells for name in re.findall(r"`(\w+)/`", cell)]
    known = rooms()
    found = [name for name in described if name in known]
    assert known == set(found)
    assert len(found) == len(set(found))


def test_order_of_the_page_is_that_of_the_contract() -> None:
    (layers,) = (item["layers"] for item in CONTRACTS if item["type"] == "layers")
    block = PAGE.split("never up:\n\n```\n")[1].split("```")[0]
    page = [set(re.findall(r"\w+", line)) for line in block.splitlines()]
    checked = [set(re.findall(r"\w+", re.sub(r"\(\w+\)", "", line))) for line in layers]
    assert page == checked


def test_files_to_read_first_exist() -> None:
    for line in PAGE.splitlines():
        if line.startswith("| `") and line.count("|") == 4:
            name = re.search(r"`([\w/]+\.py)`", line.split("|")[3])
            assert name is None or (ROOT / "src/taipan" / name[1]).is_file(), line
