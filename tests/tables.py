"""A table with the content of the analysis `higgsml` under other names of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from taipan.datasets import Catalogue

LABELS = ("sig", "bkg")
COLUMNS: dict[str, Any] = {
    **{f"Lepton_{k}": [f"lep_{k}"] for k in ("pt", "eta", "phi")},
    **{f"Tau_{k}": [f"had_{k}"] for k in ("pt", "eta", "phi")},
    **{f"Jet_{k}": [f"j1_{k}", f"j2_{k}"] for k in ("pt", "eta", "phi")},
    "n_jets": "n",
    "jet_all_pt": "all_pt",
    "MET_pt": "met",
    "MET_phi": "met_phi",
    "soft_met": 1.0,
}


def make_frame(rows: int) -> pd.DataFrame:
    """Make rows of random events with 0 to 2 jets, half of them of each label."""
    rng = np.random.default_rng(rows)
    angles = {f"{o}_phi": rng.uniform(-3.14, 3.14, rows) for o in ("lep", "had", "j1", "j2", "met")}
    etas = {f"{o}_eta": rng.normal(0.0, 1.2, rows) for o in ("lep", "had", "j1", "j2")}
    frame = pd.DataFrame(
        {
            "lep_pt": 18.0 + rng.exponential(15.0, rows),
            "had_pt": 22.0 + rng.exponential(15.0, rows),
            "j1_pt": 50.0 + rng.exponential(30.0, rows),
            "j2_pt": 23.0 + rng.uniform(0.0, 20.0, rows),
            "met": rng.exponential(30.0, rows),
            **angles,
            **etas,
            "n": rng.integers(0, 3, rows).astype(float),
            "weight": rng.uniform(0.5, 2.0, rows),
            "process": rng.choice(LABELS, rows),
        }
    )
    for i in (1, 2):
        frame.loc[frame.n < i, [f"j{i}_{key}" for key in ("pt", "eta", "phi")]] = -25.0
    frame["all_pt"] = frame[["j1_pt", "j2_pt"]].clip(lower=0.0).sum(axis=1)
    numbers = frame.select_dtypes("number").columns
    return frame.astype(dict.fromkeys(numbers, np.float32)).round(3)


def make_catalogue(**table: Any) -> Catalogue:
    """Make the catalogue of such a table; `table` changes how it is read."""
    form = {
        "columns": COLUMNS,
        "missing": -25.0,
        "weight": "weight",
        "luminosity": {"value": 10.0, "source": "test"},
        "label": "process",
    }
    datasets = {name: {"files": ["t.parquet"], "is_data": False, "label": name} for name in LABELS}
    keys = {"name": "t", "kind": "tables", "description": "d", "licence": "l"}
    return Catalogue.model_validate({**keys, "table": {**form, **table}, "datasets": datasets})
