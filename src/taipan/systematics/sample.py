"""Another simulation in place of a sample's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from taipan.systematics.base import Smoothed, Target, check_names


class AlternativeSample(Smoothed):
    """Another simulation, such as that of another generator, or one for each direction."""

    kind: Literal["sample"] = Field(description="An alternative dataset.")
    datasets: list[str] = Field(description="Datasets in place of the sample's own, at +1σ.")
    down: list[str] = Field(
        default_factory=list,
        description="Datasets at −1σ, such as those of half the scale; without them the change is "
        "mirrored.",
    )

    @property
    def varied(self) -> tuple[str, ...]:
        """Two directions if each has datasets of its own."""
        return ("up", "down") if self.down else ("up",)

    @property
    def alternatives(self) -> Sequence[str]:
        """The keys `datasets` and `down`."""
        return [*self.datasets, *self.down]

    def replacements(self, sign: float) -> Sequence[str]:
        """Give the key `datasets` or `down`."""
        return self.datasets if sign > 0.0 else self.down

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Refuse datasets that do not exist, hold data, or are the sample's own."""
        catalogue = target.catalogue
        simulated = [name for name, item in catalogue.datasets.items() if not item.is_data]
        if not self.datasets:
            yield f"{path}.datasets: an empty list replaces nothing ({', '.join(simulated)})"
        what = f"simulated dataset of catalogue '{catalogue.name}'"
        for key, names in (("datasets", self.datasets), ("down", self.down)):
            yield from check_names(f"{path}.{key}", what, names, simulated)
        for i, name in enumerate(self.down):
            if name in self.datasets:
                yield (
                    f"{path}.down[{i}]: '{name}' is also one of {path}.datasets (other datasets, "
                    "or none: then the change is mirrored)"
                )
        samples = target.config.samples
        for sample in self.samples:
            own = set(samples[sample].datasets) if sample in samples else None
            for key, names in (("datasets", self.datasets), ("down", self.down)):
                if own == set(names):
                    where = f"{path}.{key}"
                    yield f"{where}: those of '{sample}' itself; the systematic changes nothing"
