"""Another simulation in place of a sample's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from taipan.suggestions import unknown
from taipan.systematics.base import Smoothed, Target


class AlternativeSample(Smoothed):
    """Another simulation, such as that of another generator; the change is mirrored."""

    kind: Literal["sample"] = Field(description="An alternative dataset.")
    datasets: list[str] = Field(description="Datasets in place of the sample's own.")

    @property
    def alternatives(self) -> Sequence[str]:
        """The key `datasets`."""
        return self.datasets

    def check(self, path: str, target: Target) -> Iterator[str]:
        """Refuse datasets that do not exist, hold data, or are the sample's own."""
        catalogue = target.catalogue
        simulated = [name for name, item in catalogue.datasets.items() if not item.is_data]
        if not self.datasets:
            yield f"{path}.datasets: an empty list replaces nothing ({', '.join(simulated)})"
        for i, name in enumerate(self.datasets):
            where = f"{path}.datasets[{i}]"
            if name not in simulated:
                what = f"simulated dataset of catalogue '{catalogue.name}'"
                yield unknown(where, name, what, simulated)
            elif name in self.datasets[:i]:
                first = self.datasets.index(name)
                yield f"{where}: '{name}' is a duplicate of {path}.datasets[{first}]"
        samples = target.config.samples
        for sample in self.samples:
            if sample in samples and set(samples[sample].datasets) == set(self.datasets):
                yield f"{path}.datasets: those of '{sample}' itself; the systematic changes nothing"
