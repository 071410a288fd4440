"""What each rule is given of the configuration: as little as its numbers follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taipan.analysis import Analysis
from taipan.config.model import Config
from taipan.config.slices import slice_config
from taipan.events.blinding import overlapping_signal
from taipan.events.selection import early_regions
from taipan.systematics.members import select_generator

Values = dict[str, Any]
"""Plain values of sections."""

_COSMETIC = {"label", "colour"}
_NOT_APPLIED = {"source", "group", "smooth", "prune", "decorrelate"}
"""What is done to the uncertainty of a correction after it is filled."""
_NOT_FILLED = {*_NOT_APPLIED, "symmetrize", "eras"}
"""What is done to templates after they are filled re-fills nothing."""
_SCALES = {"poi", "parameters_of_interest", "scale", "expressions", "unfolding"}
"""Of the fit, what pseudo-data are made with: which parameters scale which samples."""


@dataclass(frozen=True)
class RunSlices:
    """Slices of the configuration of a run.

    Attributes
    ----------
    config, analysis
        Configuration, and the selection that it names.
    stores_weights
        Whether weights of the training are transformed: a file of them has those of all networks.
    """

    config: Config
    analysis: Analysis
    stores_weights: bool = False

    def definitions(self) -> Values:
        """Give samples and regions without what only plots need: a new colour re-runs no stage."""
        return {
            key: {
                name: item.model_dump(mode="json", exclude=_COSMETIC)
                for name, item in getattr(self.config, key).items()
            }
            for key in ("samples", "regions")
        }

    def generator(self) -> Values:
        """Give what the generator weights need, nothing where there are none."""
        chosen = select_generator(self.config.systematics)
        if not chosen:
            return {}
        systematics = {
            name: item.model_dump(mode="json", exclude=_NOT_FILLED) for name, item in chosen.items()
        }
        samples = self.definitions()["samples"]
        return {"generator": {"samples": samples, "systematics": systematics}}

    def corrections(self, *, varied: bool = False) -> Values:
        """Give the corrections of the nominal; of jobs that fill variations their uncertainty."""
        chosen = {
            name: item if varied else item.without_uncertainty()
            for name, item in self.config.corrections.items()
        }
        return {
            "corrections": {
                name: item.model_dump(mode="json", exclude=_NOT_APPLIED)
                for name, item in chosen.items()
                if item is not None
            }
        }

    def training(self, *more: str) -> Values:
        """Give what decides which events are trained on, and how; and sections `more`."""
        keys = ("folder", "quantities", "features", "categorical", "classes", "training")
        values = {
            **self.definitions(),
            **self.corrections(),
            **slice_config(self.config, *keys, *more),
        }
        del values["training"]["pretrain"]  # which is that of a network alone
        # of the gate, training depends on the conditions alone
        conditions = self.config.overtraining.model_dump(mode="json", include={"conditions"})
        return {"overtraining": conditions, **values}

    def plain_training(self, *more: str) -> Values:
        """Give the same to rules that train without adversary: its settings re-run nothing."""
        values = self.training(*more)
        unused = ["adversary", "decorrelate"]
        if not self.stores_weights:  # one network is trained
            unused += ["networks", "seeds"]
        for key in unused:
            del values["training"][key]
        return values

    def weights(self, *more: str) -> Values:
        """Give what the weights of the loss depend on, and sections `more`."""
        values = self.training(*more)
        used = {"region", "folds", "networks", "seeds", "activation"}
        used |= {"negative_weights", "refinement", "cells"}
        values["training"] = self.config.training.model_dump(mode="json", include=used)
        return values

    def templates(self, *keys: str) -> Values:
        """Give the systematics without the rates, which need no templates, and sections `keys`."""
        values = {**self.definitions(), **slice_config(self.config, *keys, "observables")}
        values["control_plots"] = slice_config(self.config, "control_plots")["control_plots"]
        values["systematics"] = {
            name: item.model_dump(mode="json", exclude=_NOT_FILLED)
            for name, item in self.config.systematics.items()
            if item.has_templates
        }
        return values

    def filling(self) -> Values:
        """Give what the histograms need; control residuals are made of those."""
        values = self.templates("folder", "quantities", "features", "weights")
        return self._without_residuals({**values, **self.corrections(varied=True)})

    def binning(self) -> Values:
        """Give what the choice of bin edges needs; one fold is no measure of a residual."""
        keys = ("folder", "quantities", "features", "weights", "systematics", "observables")
        values = {**self.fit(), **slice_config(self.config, *keys)}
        return {**self._without_residuals(values), **self.corrections(varied=True)}

    def judge(self) -> Values:
        """Give what the judgement of the score needs; no region that may hold signal."""
        keys = ("folder", "quantities", "regions", "features", "observables", "decorrelation")
        values = {
            **self.definitions(),
            **self.corrections(),
            **slice_config(self.config, *keys),
        }
        for key in ("enabled", "compare"):
            del values["decorrelation"][key]
        hidden = overlapping_signal(self.config.regions)
        known = early_regions(self.config.regions, self.analysis.is_late)
        values["decorrelation"]["regions"] = self.config.decorrelation.regions or [
            name for name in known if name not in hidden
        ]
        values["training"] = self.config.training.model_dump(mode="json", include={"region"})
        return values

    def fit(self) -> Values:
        """Give what the statistical model needs."""
        values = {
            **self.definitions(),
            **slice_config(self.config, "analysis", "systematics", "templates"),
        }
        values["fit"] = self.config.fit.model_dump(mode="json", exclude={"confidence_level"})
        return values

    def coverage(self) -> Values:
        """Give what the pseudo-experiments need."""
        keys = ("folder", "quantities", "features", "observables")
        return {
            **self.definitions(),
            "fit": self.config.fit.model_dump(mode="json", include=_SCALES),
            "coverage": self.config.coverage.model_dump(mode="json", exclude={"calibrate"}),
            **self.corrections(varied=True),
            **slice_config(self.config, *keys, "systematics", "weights"),
        }

    def scan(self) -> Values:
        """Give what a point of the scan needs; λ is the point's own."""
        values = {
            **self.fit(),
            **self.training("observables", "weights"),
            **self.corrections(varied=True),
            "decorrelation": self.judge()["decorrelation"],
        }
        values["training"]["adversary"] = self.config.training.adversary.model_dump(
            mode="json", exclude={"enabled", "strength"}
        )
        return values

    def choice(self) -> Values:
        """Give what the choice of λ needs."""
        values = slice_config(self.config, "regions")
        values["decorrelation"] = self.judge()["decorrelation"]
        used = {"adversary": {"control_sample"}}
        values["training"] = self.config.training.model_dump(mode="json", include=used)
        return values

    def _without_residuals(self, values: Mapping[str, Any]) -> Values:
        """Leave out the systematics that are made of filled histograms."""
        kept = {
            name: item
            for name, item in values["systematics"].items()
            if self.config.systematics[name].fills_events
        }
        return {**values, "systematics": kept}
