"""The documents of the project: where they are, and what they link to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "project/readme.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "benchmarks/README.md": "project/benchmarks.md",
    "config/README.md": "reference/configuration.md",
}
"""Documents outside ``docs/``, and where they stand on the site."""

FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"``[^`]+``|`(?:[^`\n]|\n(?!\n))+`")
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
HEADING = re.compile(r"^#+ +(.+?) *#* *$", re.MULTILINE)
HTML = re.compile(r"<!--.*?-->", re.DOTALL)


def prose(text: str) -> str:
    """Blank the code of a document, so that positions stay and no link is found in it."""
    for pattern in (FENCE, CODE):
        text = pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    return text


def slug(heading: str, separator: str = "-") -> str:
    """Give the anchor of a heading, as GitHub makes it, so that links hold in both places."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


def site_path(path: str) -> str:
    """Give the place on the site of a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return PAGES.get(path, f"files/{path}.md")


def links(text: str, path: str) -> Iterator[tuple[re.Match[str], str, str]]:
    """Yield the relative links of a document: match, path in the repository, anchor."""
    for found in LINK.finditer(prose(text)):
        target, _, anchor = found[2].partition("#")
        if target and not re.match(r"[a-z]+:", target):
            yield found, posixpath.normpath(posixpath.join(posixpath.dirname(path), target)), anchor


def documents() -> Iterator[str]:
    """Yield the paths of all documents that are pages."""
    yield from (str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md")))
    yield from PAGES


def shown_files() -> set[str]:
    """Give the files of code to which a document links."""
    targets = {
        target
        for path in documents()
        for _, target, _ in links((ROOT / path).read_text(encoding="utf-8"), path)
    }
    return {
        target
        for target in targets
        if not target.startswith("docs/") and target not in PAGES and (ROOT / target).is_file()
    }


def anchors(text: str) -> set[str]:
    """Give the anchors of the headings of a document; the second of a name ends in ``-1``."""
    found: dict[str, int] = {}
    for heading in HEADING.findall(FENCE.sub("", HTML.sub("", text))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found[slug(plain)] = found.get(slug(plain), 0) + 1
    return {f"{name}-{i}" if i else name for name, number in found.items() for i in range(number)}
