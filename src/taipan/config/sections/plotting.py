"""Keys of the look of the figures: `plotting`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from taipan.config.base import Strict

SignalStyle = Literal["auto", "stack", "line"]
"""How signals are drawn; ``auto`` asks their size."""


class Plotting(Strict):
    """Look of the figures; no number depends on it."""

    style: str | None = Field(
        None,
        min_length=1,
        description="Style of matplotlib over that of the figures: a file with lines such as "
        "`font.size: 14`, or the name of one that matplotlib has, such as `grayscale`.",
    )
    signal: SignalStyle = Field(
        "auto",
        description="Signals of control plots and fitted distributions: part of the stack "
        "(`stack`), a line scaled up (`line`), or the one or the other by their size (`auto`: in "
        "the stack above a fifth of the background).",
    )
