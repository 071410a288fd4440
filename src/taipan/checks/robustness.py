"""Checks of the section `robustness`."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.config.model import Config
from taipan.suggestions import unknown


def check_robustness(config: Config) -> Iterator[str]:
    """Yield one line a problem of the section `robustness`."""
    settings = config.robustness
    for name in settings.resolutions:
        path = f"robustness.resolutions.{name}"
        if name not in config.features:
            yield unknown(path, name, "feature", list(config.features))
        elif name in config.categorical:
            yield f"{path}: '{name}' is categorical: it has values, and no uncertainty"
    for i, size in enumerate(settings.sizes):
        if size in settings.sizes[:i]:
            yield f"robustness.sizes[{i}]: {size:g} is listed twice"
    for name, group in settings.groups.items():
        for i, feature in enumerate(group):
            if feature not in config.features:
                path = f"robustness.groups.{name}[{i}]"
                yield unknown(path, feature, "feature", list(config.features))
        if set(config.features) <= set(group):
            yield f"robustness.groups.{name}: no feature is left to train with"
    if settings.events < settings.bins:
        yield f"robustness.bins: {settings.bins} bins for {settings.events} events"
