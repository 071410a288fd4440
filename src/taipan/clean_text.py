"""Texts that others wrote, made harmless before they are shown: passwords, control characters."""

from __future__ import annotations

import re
from urllib.parse import unquote

_USER = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://+)[^\s/?#'\"<>|]*@")
# passwords whose special characters are not written as %XX: to a parser of URLs, they end the host
_BROKEN_USER = re.compile(
    r"(?i)\b([a-z][a-z0-9+.-]*:[/\\]+)[^\s/?#'\"<>|:@\[]*:(?!\s|\d+(?:[/?#\s'\",;)\]]|$))"
    r"[^\s@]*(?:[^\S\n][^\s@/]+)?@(?:[^\s/@'\"]*@)*"
)
_SECRET = re.compile(
    r"(?i)([?&;#](?:[\w.-]*(?:token|secret|passw(?:or)?d|passphrase|pwd|signature|credential|auth"
    r"|authz|authoris?z?ation|bearer|jwt|session(?:[_-]?id)?|ticket|api[_-]?key|access[_-]?key(?:id)?)"
    r"|sig|key|pass|code)=)[^&;#\s'\",)]+"
)
# C0 and C1 without tab and newline; marks that change the order of what is read
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_HIDDEN = "***"


def hide_credentials(text: str, *urls: str) -> str:
    """Replace user names, passwords and tokens of URLs.

    Parameters
    ----------
    text
        Any text, such as an error message.
    urls
        URLs whose credentials are replaced also where they stand without the URL.
    """
    for url in urls:
        user = _netloc(url).rpartition("@")[0]
        _, _, password = user.partition(":")
        for secret in (user, password, unquote(user), unquote(password)):
            if secret:
                text = text.replace(secret, _HIDDEN)
    for users in (_USER, _BROKEN_USER):
        text = users.sub(rf"\g<1>{_HIDDEN}@", text)
    return _SECRET.sub(rf"\g<1>{_HIDDEN}", text)


def strip_credentials(url: str) -> str:
    """Give a URL without user name and password, and with the values of its tokens replaced."""
    user, at, _ = _netloc(url).rpartition("@")
    return hide_credentials(url.replace(user + at, "", 1) if at else url)


def _netloc(url: str) -> str:
    """Give the part of a URL with user and host; also where the URL is not a valid one."""
    return re.split(r"[/?#]", url.partition("://")[2].lstrip("/"), maxsplit=1)[0]


def escape_controls(text: str) -> str:
    r"""Write control characters as ``\x1b``: a terminal would obey them."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def escape_line(text: str) -> str:
    """Write control characters, newlines and tabs among them, so that the text is one line."""
    return escape_controls(text).replace("\n", "\\n").replace("\t", "\\t")


def escape_markdown(text: str) -> str:
    """Keep a text from being HTML or a link where Markdown is shown; gives one line."""
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", escape_line(hide_credentials(text)))
    return re.sub(r"\](?=[(\[:])", r"\]", text)


_PLAIN = r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf|nan"
_NUMBER = re.compile(rf"[+-]?({_PLAIN})(\s*±\s*({_PLAIN}))?")


def escape_cell(text: str) -> str:
    """Keep a cell of a CSV file from being a formula: spreadsheets run what begins with ``=``.

    Numbers stay as they are. Other cells that begin with ``=``, ``+``, ``-``, ``@`` or a control
    character get an apostrophe before them.
    """
    cell = escape_line(text)
    if text.startswith(("\t", "\r", "\n")):
        return f"'{cell}"
    if cell.lstrip()[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠"):
        return cell if _NUMBER.fullmatch(cell) else f"'{cell}"
    return cell


_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "{}$&#%_"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"''{}",
        "±": r"$\pm$",
        "σ": r"$\sigma$",
        "μ": r"$\mu$",
        "χ": r"$\chi$",
        "τ": r"$\tau$",
        "→": r"$\to$",
        "−": "$-$",
        "ℓ": r"$\ell$",
        "γ": r"$\gamma$",
        "ν": r"$\nu$",
        "η": r"$\eta$",
        "φ": r"$\phi$",
        "²": "$^2$",
    }
)


def escape_latex(text: str) -> str:
    """Write a text so that LaTeX prints it as it is, and runs none of it."""
    return escape_line(text).translate(_LATEX)


def clean(text: str) -> str:
    """Make a message harmless: no credentials, no control characters but newline and tab."""
    return escape_controls(hide_credentials(text))
