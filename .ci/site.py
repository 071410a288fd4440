"""Hooks of the documentation site: documents outside ``docs/`` become pages, and their links hold.

The documents are written for readers of the repository too, so their links are paths of the
repository. A link to a file of code becomes a page that shows it.
"""

from __future__ import annotations

import os
import posixpath
import re
from html import unescape
from pathlib import Path
from typing import Any

from documents import PAGES, ROOT, links, shown_files, site_path, slug
from latex2mathml.converter import convert as latex_to_mathml
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

OUTSIDE = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
FORMULA = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)
CANONICAL = re.compile(r"rel=[\"']?(?:canonical|next|prev)")


def on_config(config: Any) -> Any:
    """Let headings have the anchors of GitHub."""
    config.mdx_configs["toc"]["slugify"] = slug
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the documents outside ``docs/`` and the files of code that are linked."""
    for path, place in PAGES.items():
        content = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=content))
    for path in sorted(shown_files()):
        content = (ROOT / path).read_text(encoding="utf-8")
        kind = {".py": "python", ".yaml": "yaml", ".json": "json"}.get(Path(path).suffix, "text")
        text = f"---\nsearch: {{exclude: true}}\n---\n# {path}\n\n````{kind}\n{content}\n````\n"
        page = File.generated(config, site_path(path), content=text)
        page.inclusion = type(page.inclusion).NOT_IN_NAV
        files.append(page)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links of the repository into links of the site."""
    place = page.file.src_uri
    path = {there: here for here, there in PAGES.items()}.get(place, f"docs/{place}")
    if place.startswith("files/"):
        return markdown
    pieces, end = [], 0
    for found, target, anchor in links(markdown, path):
        new = os.path.relpath(site_path(target), posixpath.dirname(place) or ".")
        pieces += [markdown[end : found.start(2)], new + (f"#{anchor}" if anchor else "")]
        end = found.end(2)
    return "".join([*pieces, markdown[end:]])


def on_page_content(html: str, **_: Any) -> str:
    """Turn formulae into MathML, which browsers show without a program."""
    return FORMULA.sub(lambda found: convert(unescape(found[2]), found[1]), html)


def convert(latex: str, kind: str) -> str:
    """Give the MathML of a formula, in a line of its own for a `div`."""
    latex = latex.strip().removeprefix("\\[").removesuffix("\\]")
    latex = latex.removeprefix("\\(").removesuffix("\\)")
    return latex_to_mathml(latex, display="block" if kind == "div" else "inline")


def on_post_build(config: Any) -> None:
    """Refuse a site that loads anything from elsewhere."""
    for path in sorted(Path(config.site_dir).rglob("*.html")):
        for found in OUTSIDE.finditer(path.read_text(encoding="utf-8")):
            if not CANONICAL.search(found[0]):
                raise PluginError(f"{path.name} loads something from elsewhere: {found[0][:120]}")
