"""Checks of the section `plotting`."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.config.model import Config
from taipan.errors import TaipanError
from taipan.style_file import read_style


def check_plotting(config: Config) -> Iterator[str]:
    """Yield a line if the style is neither a file nor one of matplotlib, or has a wrong line."""
    if config.plotting.style is None:
        return
    try:
        read_style(config.plotting.style)
    except TaipanError as error:
        yield f"plotting.style: {error}"
