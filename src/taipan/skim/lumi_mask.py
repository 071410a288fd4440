"""Certified luminosity blocks of collision data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taipan.atomic import read_json
from taipan.errors import TaipanError


def read_lumi_mask(path: str | None) -> Callable[..., Any] | None:
    """Open a certified-luminosity file as a function (runs, blocks) → mask."""
    if path is None:
        return None
    try:
        valid = _is_lumi_mask(read_json(path))
    except TaipanError as error:
        raise TaipanError(f"skim.lumi_mask: {error}") from error
    if not valid:
        raise TaipanError(
            f"skim.lumi_mask: {path} is not a file of certified luminosity blocks; "
            'allowed: JSON such as {"194533": [[46, 379]]}'
        )
    from coffea.lumi_tools import LumiMask  # 4 s of imports that most jobs do not need

    mask: Callable[..., Any] = LumiMask(path)
    return mask


def _is_lumi_mask(content: Any) -> bool:
    """Whether it is runs with lists of their first and last certified blocks."""
    return isinstance(content, dict) and all(
        run.isdecimal()
        and isinstance(ranges, list)
        and all(isinstance(pair, list) and [type(x) for x in pair] == [int, int] for pair in ranges)
        for run, ranges in content.items()
    )
