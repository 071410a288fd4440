"""A run as an entry to the HiggsML Uncertainty Challenge: ``Model`` with ``fit`` and ``predict``.

::

    model = Model(results="results/higgsml")
    model.fit()
    model.predict({"data": frame, "weights": weights})
    # {"mu_hat": 1.1, "delta_mu_hat": 0.4, "p16": 0.7, "p84": 1.5}

``python submission.py RESULTS FOLDER`` copies what an entry needs into a folder whose ``model.py``
holds this class. It needs Taipan installed.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taipan.analysis import SkimContext
from taipan.analysis_folder import own_project
from taipan.analysis_selection import load_analysis
from taipan.atomic import read_json, write_json
from taipan.columns.identity import assign_folds
from taipan.config.load import load_catalogue, read_config
from taipan.config.model import Config
from taipan.config.slices import hash_config
from taipan.coverage.bins import FitBins
from taipan.coverage.calibrate import IntervalCalibration
from taipan.errors import TaipanError
from taipan.events.selection import region_masks
from taipan.inference import compile_model
from taipan.inference.toys import fit_pseudo_data
from taipan.nn.scorer import FoldScorer
from taipan.skim.frame import select_rows
from taipan.skim.table_steps import TableReading

FOLDER = Path(__file__).resolve().parent
ALLOWED = (0.1, 3.0)
"""Signal strengths of the challenge: no interval needs to leave this range."""
COUNT = "how often"
"""Column of the weights of a test set, among those of its data."""
RECORD = "submission.json"
"""Configuration of the run that an exported entry was made of."""


class Model:
    """Measures the signal strength of test sets with the networks and templates of a run.

    Parameters
    ----------
    get_train_set, systematics
        What the challenge hands to every entry; nothing is trained again, so they are not used.
    results
        Folder of a run (``results/higgsml``) or of an exported entry; by default the folder of this
        file.
    configs
        Configuration files that the run was made with.
    calibrated
        False takes intervals as they are fitted; otherwise the run has been calibrated
        (``snakemake ... results/higgsml/calibration/nn_score.json``).
    """

    def __init__(
        self,
        get_train_set: Callable[[], Any] | None = None,
        systematics: Callable[..., Any] | None = None,
        *,
        results: str | Path | None = None,
        configs: Sequence[str | Path] = (),
        calibrated: bool = True,
    ) -> None:
        self.results = FOLDER if results is None else Path(results)
        self._configs = tuple(configs)
        self._calibrated = calibrated
        self._ready = False

    def fit(self) -> None:
        """Read what the run has learnt.

        Raises
        ------
        TaipanError
            If a file is missing, or the run was made with another configuration.
        """
        config = _read_config(self.results, self._configs)
        name = config.fit.observable
        table = load_catalogue(config).table
        if table is None:
            raise TaipanError(f"catalogue: '{config.catalogue}' holds no tables")
        self.config = config
        self._analysis = load_analysis(config.folder, config.quantities)
        # the missing momentum of a test set has its soft part already; how often a row counts
        # travels with it, because the selection drops rows
        reading = table.model_copy(
            update={"label": None, "weight": COUNT, "identity": "row", "unused_labels": []}
        )
        self._reading = TableReading(reading, constants={"soft_met": 0.0})
        models = sorted((self.results / "models").glob("fold*.onnx"))
        self._scorer = FoldScorer(models, config.features)
        record = read_json(self.results / f"workspaces/{name}_record.json")["regions"]
        edges = {region: np.asarray(item["edges_after"]) for region, item in record.items()}
        self._bins = FitBins(name, edges, frozenset())
        self._model = compile_model(read_json(self.results / f"workspaces/{name}.json"))
        self._calibration = None
        if self._calibrated:
            path = self.results / f"calibration/{name}.json"
            self._calibration = IntervalCalibration.from_dict(read_json(path))
        self._ready = True

    def predict(self, test_set: Mapping[str, Any]) -> dict[str, float]:
        """Measure the signal strength of a test set.

        Parameters
        ----------
        test_set
            ``data``: table with the PRI columns (a data frame, or column → values); ``weights``,
            shape (n,): how often each row counts, once each if left out.

        Returns
        -------
        dict
            ``mu_hat``, ``delta_mu_hat`` (half of the interval), ``p16`` and ``p84``.

        Raises
        ------
        TaipanError
            If a column is missing, a value is not finite, or the fit fails.
        """
        counts = self.count(test_set)
        model = self._model
        auxiliary = model.expected_auxiliary(model.nominal(1.0))
        row = np.concatenate([*(counts[name] for name in model.regions), auxiliary])
        found = fit_pseudo_data(model, row[np.newaxis], model.nominal(1.0), levels=(1.0,))[0]
        mu_hat, low, high = (found[name] for name in ("mu_hat", "low", "high"))
        if not np.isfinite([mu_hat, low, high]).all():
            raise TaipanError("the fit of the test set failed")
        if self._calibration is not None:
            low, high = self._calibration.apply(mu_hat, low, high)
        p16, p84 = (float(np.clip(end[0], *ALLOWED)) for end in (low, high))
        return {
            "mu_hat": float(np.clip(mu_hat[0], *ALLOWED)),
            "delta_mu_hat": (p84 - p16) / 2.0,
            "p16": p16,
            "p84": p84,
        }

    def count(self, test_set: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Fill the bins of the fit with a test set: region → counts."""
        if not self._ready:
            raise TaipanError("fit() comes before predict()")
        data, weights = test_set["data"], test_set.get("weights")
        columns = {name: np.asarray(data[name]) for name in data}
        n = len(next(iter(columns.values())))
        columns[COUNT] = np.ones(n) if weights is None else np.asarray(weights, np.float64)
        context = SkimContext("test_set", is_data=False, envelope={"tau_pt": 0.0})
        events = select_rows(columns, self._reading, self._analysis, context)
        quantities = self._analysis.compute(events)
        used = {name: self.config.regions[name] for name in self._bins.edges}
        folds = assign_folds(events["event_hash"], self._scorer.folds)
        counts = {}
        for name, mask in region_masks(quantities, used).items():
            inputs = np.stack([quantities[f][mask] for f in self.config.features], axis=1)
            score = self._scorer.score(inputs.astype(np.float32), folds[mask])
            counts[name] = self._bins.fill(name, score, events["genWeight"][mask])
        return counts


def _read_config(results: Path, configs: Sequence[str | Path]) -> Config:
    """Read the configuration of a run, or that which an exported entry holds."""
    if (results / RECORD).is_file():
        plain = {**read_json(results / RECORD), "folder": str(results / "higgsml")}
        return Config.from_plain(plain)
    project = own_project()
    if project is None:
        raise TaipanError("no project with config/config.yaml; enter an exported folder")
    config = read_config(configs, project, analysis=FOLDER.name)
    if hash_config(config) != read_json(results / "summary.json")["provenance"]["config"]:
        named = ", ".join(map(str, configs)) or "no further file"
        raise TaipanError(
            f"{results} was made with another configuration than {FOLDER.name} and {named} "
            "(name its files: configs=[...])"
        )
    return config


def export(results: Path, folder: Path, configs: Sequence[Path] = ()) -> None:
    """Copy what an entry needs into a folder.

    Parameters
    ----------
    results
        Folder of a run that has been calibrated.
    folder
        New folder.
    configs
        Configuration files that the run was made with.

    Raises
    ------
    TaipanError
        If the folder exists, or the run cannot be entered.
    """
    if folder.exists():
        raise TaipanError(f"{folder} exists (name a new folder)")
    model = Model(results=results, configs=configs)
    model.fit()
    name = model.config.fit.observable
    kept = [*sorted(path.relative_to(results) for path in (results / "models").glob("fold*.onnx"))]
    kept += [Path(f"workspaces/{name}.json"), Path(f"workspaces/{name}_record.json")]
    kept += [Path(f"calibration/{name}.json")]
    for path in kept:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(results / path, folder / path)
    shutil.copytree(FOLDER, folder / "higgsml", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(__file__, folder / "model.py")
    write_json(folder / RECORD, model.config.model_dump(mode="json"))


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]), [Path(path) for path in sys.argv[3:]])
