"""Checks of the choice of bin edges, `templates.binning`."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.config.model import Config


def check_binning(config: Config) -> Iterator[str]:
    """Check that edges can be chosen, and that the events of the templates do not choose them."""
    binning = config.templates.binning
    if binning.method == "none":
        return
    if not config.features:
        yield (
            f"templates.binning.method: '{binning.method}' sets a fold of the network's events "
            "aside; without `features` there is none (none)"
        )
        return
    if binning.fold is None:
        if binning.method != "quantile":
            yield (
                f"templates.binning.fold: null, but the method '{binning.method}' looks for a "
                "small σ(μ), and would find fluctuations of the events that fill the templates "
                f"(0 to {config.training.folds - 1}, or the method quantile)"
            )
    elif binning.fold >= config.training.folds:
        yield (
            f"templates.binning.fold: {binning.fold} is not one of the training.folds = "
            f"{config.training.folds} folds (0 to {config.training.folds - 1})"
        )
    if binning.fine_bins < binning.bins:
        yield (
            f"templates.binning.fine_bins: {binning.fine_bins} is below templates.binning.bins "
            f"({binning.bins})"
        )
    if not any(item.has_chosen_edges for item in config.regions.values()):
        yield (
            f"templates.binning.method: '{binning.method}' has no edges to choose: each region "
            "with role signal has its `binning`, is a single bin or says `optimise_binning: false` "
            "(none)"
        )
