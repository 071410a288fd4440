"""The simulation of an analysis: the file ``simulation.py`` of its folder.

It has two names. ``DATASETS`` holds the names of the datasets that it can write, and
``write_dataset(dataset, path, settings, seed)`` writes the ROOT file of one. It may have a third:
``write_truth(path, settings, seed)`` writes a JSON file of what is true about the pseudo-data.
``settings`` has ``luminosity`` (fb⁻¹, of the pseudo-data), ``mu`` (injected signal strength),
``events`` (simulated dataset → number of events) and the other keys of the section ``fastsim``.
The same settings and seed must give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taipan.analysis_folder import import_part
from taipan.atomic import write_json
from taipan.errors import TaipanError
from taipan.suggestions import nearest

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Simulation:
    """What a ``simulation.py`` offers.

    Attributes
    ----------
    datasets
        Names of the datasets.
    write_dataset
        ``(dataset, path, settings, seed)``: write the ROOT file of a dataset.
    write_truth
        ``(path, settings, seed)``: write the truth record of the pseudo-data.
    """

    datasets: Collection[str]
    write_dataset: Callable[[str, Path, Settings, int], object]
    write_truth: Callable[[Path, Settings, int], object]

    def simulate(self, dataset: str, path: Path, settings: Settings, seed: int) -> None:
        """Write the ROOT file of a dataset.

        Raises
        ------
        TaipanError
            If the simulation has no dataset of that name, or writes no file.
        """
        if dataset not in self.datasets:
            raise TaipanError(
                f"simulation.py has no dataset '{dataset}'{nearest(dataset, self.datasets)} "
                f"({', '.join(self.datasets)})"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        self.write_dataset(dataset, path, settings, seed)
        if not path.is_file():
            raise TaipanError(f"simulation.py: write_dataset('{dataset}', ...) wrote no {path}")


def load_simulation(folder: str | Path) -> Simulation:
    """Import the file ``simulation.py`` of an analysis.

    The caller has made sure that the user wants its code to be executed.

    Parameters
    ----------
    folder
        Folder of the analysis.

    Raises
    ------
    TaipanError
        If the file cannot be imported or lacks one of the two names.
    """
    module = import_part(folder, "simulation")
    for name in ("DATASETS", "write_dataset"):
        if not hasattr(module, name):
            raise TaipanError(f"{Path(folder, 'simulation.py')} has no {name}")
    truth = getattr(module, "write_truth", _write_settings)
    return Simulation(tuple(module.DATASETS), module.write_dataset, truth)


def _write_settings(path: Path, settings: Settings, seed: int) -> None:
    """Write the settings, where a simulation has nothing else to say about the truth."""
    write_json(path, {"seed": seed, **settings})
