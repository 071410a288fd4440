"""The summary as one HTML file: figures inside, tables that sort, nothing from the network.

The Markdown of :mod:`taipan.summary.text` uses headings, paragraphs, lists, tables, bold, code and
images, and one link. They are translated here; every other character of it stays text.
"""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path

from taipan.errors import TaipanError

_RULE = re.compile(r"\|( -+:? \|)+")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_SLIDES = re.compile(r"For slides: \[([\w./-]+)\]\(\1\)")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 62rem;
  margin: 0 auto; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.opening { font-size: 1.08rem; border-left: 4px solid #1d5fa8; padding-left: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #c8c8c8; text-align: right; }
th:first-child, td:first-child { text-align: left; }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0;
  padding: 0; cursor: pointer; }
th button::after { content: " \\2195"; color: #5a5a5a; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
img { max-width: 100%; height: auto; } code { background: #f0f0f0; overflow-wrap: anywhere; }
a, button { color: #1d5fa8; } :focus-visible { outline: 3px solid #1d5fa8; outline-offset: 2px; }
"""
_SCRIPT = """
// inside the report, whose address this page has, a link to a section would open the report again
for (const link of document.querySelectorAll("nav a")) link.onclick = event => {
  event.preventDefault();
  const section = document.getElementById(link.hash.slice(1));
  section.tabIndex = -1;
  section.focus();
  section.scrollIntoView();
};
for (const table of document.querySelectorAll("table")) {
  table.querySelectorAll("th button").forEach((button, column) => button.onclick = () => {
    const head = button.parentElement;
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const value = row => row.cells[column].textContent.trim();
    const order = (a, b) => {
      const [x, y] = [parseFloat(value(a)), parseFloat(value(b))];
      if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
      return (isNaN(x) ? value(a).localeCompare(value(b)) : x - y) * (up ? 1 : -1);
    };
    body.append(...[...body.rows].sort(order));
  });
}
"""


def to_page(markdown: str, folder: Path | str) -> str:
    """Write a summary as a page of HTML that needs no other file.

    Parameters
    ----------
    markdown
        Of :func:`taipan.summary.to_markdown`.
    folder
        The paths of its images are relative to it.

    Returns
    -------
    str
        HTML; images are inside.

    Raises
    ------
    TaipanError
        If an image cannot be read.
    """
    blocks = markdown.strip().split("\n\n")
    title = blocks[0].removeprefix("# ")
    first_section = next(i for i, b in enumerate([*blocks, "## "]) if b.startswith("## "))
    titles = [block[3:] for block in blocks if block.startswith("## ")]
    links = " · ".join(f'<a href="#{_anchor(name)}">{_inline(name)}</a>' for name in titles)
    body = [
        "<header>",
        _block(blocks[0], folder),
        '<div class="opening">',
        *(_block(block, folder) for block in blocks[1:first_section]),
        "</div></header>",
        f'<nav aria-label="Sections">{links}</nav>',
        "<main>",
        *(_block(block, folder) for block in blocks[first_section:]),
        "</main>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + f"\n<script>{_SCRIPT}</script>\n</body></html>\n"
    )


def _block(block: str, folder: Path | str) -> str:
    image = _IMAGE.fullmatch(block)
    if image is not None:
        return _figure(image[1], Path(folder) / image[2])
    slides = _SLIDES.fullmatch(block)
    if slides is not None:
        link = f'<a href="{slides[1]}" target="_blank" rel="noopener">{slides[1]}</a>'
        return f"<p>For slides: {link}</p>"
    lines = block.split("\n")
    if lines[0].startswith("## "):
        name = lines[0][3:]
        return f'<h2 id="{_anchor(name)}">{_inline(name)}</h2>'
    if lines[0].startswith("# "):
        return f"<h1>{_inline(lines[0][2:])}</h1>"
    if len(lines) > 1 and _RULE.fullmatch(lines[1]):
        return _table(lines)
    if all(line.startswith("- ") for line in lines):
        return "<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>"
    text = _inline(" ".join(lines))
    return (
        "<p>" + re.sub(r"^(What was measured:|How well:|Can I trust it\?) ", _lead, text) + "</p>"
    )


def _lead(found: re.Match[str]) -> str:
    return f"<strong>{found[1]}</strong> "


def _table(lines: list[str]) -> str:
    header, *rows = ([cell.strip() for cell in line[1:-1].split(" | ")]
                     for line in [lines[0], *lines[2:]])  # fmt: skip
    heads = "".join(
        f'<th scope="col"><button type="button">{_inline(cell)}</button></th>' for cell in header
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="Table">{table}</div>'


def _figure(words: str, path: Path) -> str:
    try:
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise TaipanError(f"cannot read {path}: {error.strerror}") from error
    return f'<p><img alt="{_text(words)}" src="data:image/png;base64,{content}"></p>'


def _inline(text: str) -> str:
    """Translate bold and code; all else is text, and nothing of it is HTML."""
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", _text(text))
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)


def _text(text: str) -> str:
    # `escape_markdown` has written &lt; and \] for readers of Markdown
    return html.escape(text.replace("&lt;", "<").replace("\\]", "]"))


def _anchor(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower()).strip("-")
