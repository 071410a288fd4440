"""Checks of the regions that samples are confined to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from taipan.config.model import Config
from taipan.config.sections.samples import Sample
from taipan.suggestions import unknown


def check_confined(config: Config) -> Iterator[str]:
    """Yield one line a problem of `samples.*.regions`."""
    fitted = {name: item for name, item in config.regions.items() if item.role != "estimate"}
    for name, sample in config.samples.items():
        for i, region in enumerate(sample.regions or ()):
            path = f"samples.{name}.regions[{i}]"
            if region not in fitted:
                yield unknown(path, region, "fitted region", fitted)
            elif region in (sample.regions or ())[:i]:
                yield f"{path}: '{region}' is listed twice"
    trained = config.training.region
    for role in ("signal", "background"):
        own = {name: item for name, item in config.samples.items() if item.role == role}
        if config.features and trained in fitted and own and not _any_in(own.values(), trained):
            yield (
                f"training.region: '{trained}': no sample with role {role} counts there "
                f"(samples.*.regions of {', '.join(own)})"
            )
    signal = [item for item in config.samples.values() if item.role == "signal"]
    places = [name for name, item in fitted.items() if item.role == "signal"]
    if signal and places and not any(_any_in(signal, place) for place in places):
        yield (
            "samples: no sample with role signal counts in a region with role signal "
            f"({', '.join(places)}; samples.*.regions)"
        )


def _any_in(samples: Iterable[Sample], region: str) -> bool:
    return any(item.regions is None or region in item.regions for item in samples)
