"""The style that a user gives to the figures of a process: its text, which figures alone read.

Every job may set it, so this module has nothing of figures in it: an edit of their look is no edit
of jobs that draw none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TEXT: ContextVar[str | None] = ContextVar("own_style", default=None)


@contextmanager
def own_style(style: str | None) -> Iterator[None]:
    """Put the settings of a style over the look of the figures.

    Parameters
    ----------
    style
        Text of :func:`taipan.style_file.read_style`; None changes nothing.
    """
    token = _TEXT.set(style)
    try:
        yield
    finally:
        _TEXT.reset(token)


def read_own_style() -> str | None:
    """Give the text of the style, if there is one."""
    return _TEXT.get()
