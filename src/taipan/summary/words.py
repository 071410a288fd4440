"""How a summary writes its parameters of interest and their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taipan.clean_text import escape_markdown
from taipan.summary.layout import count_decimals, format_measurement

MIN_DECIMALS = 2
"""Of a number without unit."""


def write_poi(summary: Mapping[str, Any]) -> str:
    """Write the parameter of interest: a signal strength is μ, another one has its name."""
    return "μ" if summary["poi"] == "mu" else str(summary["poi"])


def write_value_name(summary: Mapping[str, Any]) -> str:
    """Write its estimate: μ with a hat, which a longer name cannot have."""
    return "μ\u0302" if summary["poi"] == "mu" else str(summary["poi"])


def write_unit(summary: Mapping[str, Any], name: str) -> str:
    """Write the unit of a parameter of interest behind a number; most have none."""
    unit = summary.get("interests", {}).get(name, {}).get("unit", "")
    return f" {escape_markdown(unit)}" if unit else ""


def write_measured(result: Mapping[str, Any], least: int = MIN_DECIMALS) -> str:
    """Write a result with its uncertainty, with `least` decimals at least."""
    return format_measurement(result["mu_hat"], result["sigma"], least)


def write_limit(value: float, least: int = MIN_DECIMALS) -> str:
    """Write a limit with two significant digits at least: 0.0034, not 0.00."""
    return f"{value:.{count_decimals(value, least)}f}"


def write_percent(level: float) -> str:
    """Write a share, such as 0.95, in per cent."""
    return f"{100 * level:g} %"
