"""The pyhf workspace: samples, modifiers, observations and the parameter of interest.

The model is HistFactory's (CERN-OPEN-2012-016) as implemented by pyhf (JOSS 6 (2021) 2823), so that
the file can be read and refitted by anyone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import hist
import numpy as np
import numpy.typing as npt

from taipan.config.model import Config, Systematic
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.templates import (
    SMALLEST_CHANGE,
    RegionTemplates,
    Variation,
    acts_in,
    collect_regions,
    largest_change,
    read_table,
)

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]
Modifier = dict[str, Any]

SIGNAL_STATISTICS = "_signals"
"""Ending of the statistical parameters of the signals."""
TRANSFER = "qcd_os_ss"
# A yield factor at ±1σ must be positive, because it is interpolated exponentially. 1 % is far
# below any factor that a linear uncertainty can describe.
SMALLEST_FACTOR = 0.01
# Range of a free normalisation: wide enough not to bind, positive because it multiplies a yield.
FREE_RANGE = (0.0, 10.0)


def build_workspace(
    templates: hist.Hist, config: Config, observable: str, transfer: Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Build the statistical model of an analysis.

    Signal regions are binned in the observable, control regions are single bins. Each weight,
    kinematic or sample systematic is split into a change of yield (`normsys`, exponential
    interpolation, which stays positive) and a change of shape at fixed yield (`histosys`) that
    share one parameter. Σw² enters as one `staterror` parameter per bin for all backgrounds,
    data-driven ones included, and another for all signals.

    Parameters
    ----------
    templates
        Filled histogram with axes (process, region, variation, `observable`), Weight storage.
    config
        The configuration.
    observable
        Name of the observable fitted in the signal regions.
    transfer
        Record of the measured opposite-sign/same-sign factor; its ``relative_uncertainty`` is the
        yield uncertainty of the same-sign estimates. None if there is no such estimate.

    Returns
    -------
    workspace
        pyhf workspace (schema 1.0.0).
    record
        What was done: ``observable``, ``blinded``, ``regions`` (role, edges before and after,
        merged bins with reasons, yields), ``systematics`` (largest relative change of each),
        ``warnings``.

    Raises
    ------
    LikelihoodError
        For templates or settings from which no model can be built; names sample, region or key.
    MergeError
        If the bins of a region cannot be made fittable.
    """
    poi = _parameter_of_interest(config)
    regions = collect_regions(read_table(templates, observable), config)
    builder = _Builder(config, poi, _transfer_size(config, transfer))
    channels = [builder.channel(region) for region in regions]
    builder.check_everything_acts()
    blinded = not config.fit.unblind
    workspace = {
        "channels": channels,
        "observations": [
            {"name": region.region, "data": _observation(region, config, blinded)}
            for region in regions
        ],
        "measurements": [
            {
                "name": config.analysis,
                "config": {
                    "poi": poi,
                    "parameters": [
                        {"name": poi, "bounds": [list(config.fit.poi_range)], "inits": [1.0]},
                        *(
                            {"name": name, "bounds": [list(FREE_RANGE)], "inits": [1.0]}
                            for name in config.fit.free_normalisations
                        ),
                    ],
                },
            }
        ],
        "version": "1.0.0",
    }
    if not blinded and not any(region.data.any() for region in regions):
        raise LikelihoodError("data: no event in any fitted region")
    record = {
        "observable": observable,
        "blinded": blinded,
        "regions": {region.region: _region_record(region, config) for region in regions},
        "systematics": builder.changes,
        "warnings": [*(w for region in regions for w in region.warnings), *builder.warnings],
    }
    logger.info(
        "%s: %d regions, %d bins, %d systematics, %s",
        observable, len(regions), sum(len(region.data) for region in regions),
        len(builder.changes), "blinded" if blinded else "unblinded",
    )  # fmt: skip
    return workspace, record


class _Builder:
    """Collects modifiers, and remembers which systematics have changed something."""

    def __init__(self, config: Config, poi: str, transfer: float | None) -> None:
        self.config = config
        self.poi = poi
        self.transfer = transfer
        self.warnings: list[str] = []
        self.changes: dict[str, float] = {}
        self._declared: set[str] = set(config.systematics) | set(config.fit.free_normalisations)
        self._met: set[str] = set()
        _check_names(config, poi)

    def channel(self, region: RegionTemplates) -> dict[str, Any]:
        """Give the channel of one region."""
        samples = []
        for name, counts in region.nominal.items():
            modifiers = [
                *self._normalisations(name),
                *self._transfer(name, region.region),
                *self._systematics(name, region),
            ]
            if self.config.fit.mc_statistics:
                modifiers.append(
                    {
                        "name": self._statistics(name, region.region),
                        "type": "staterror",
                        "data": _plain(np.sqrt(counts.variances)),
                    }
                )
            samples.append({"name": name, "data": _plain(counts.values), "modifiers": modifiers})
        return {"name": region.region, "samples": samples}

    def _statistics(self, sample: str, region: str) -> str:
        """Name the statistical parameters of a sample's bins.

        Signals have their own: one factor for all samples would let the statistical uncertainty of
        the background scale the signal, and 1/γ has a mean above 1, which biases μ upwards.
        """
        signal = self.config.samples[sample].role == "signal"
        return f"staterror_{region}{SIGNAL_STATISTICS if signal else ''}"

    def check_everything_acts(self) -> None:
        """Refuse declared parameters that change no fitted template."""
        for name in self.config.fit.free_normalisations:
            if name not in self._met:
                raise LikelihoodError(
                    f"fit.free_normalisations.{name}: sample "
                    f"{self.config.fit.free_normalisations[name]!r} is in no fitted region"
                )
        for name, systematic in self.config.systematics.items():
            if self.changes.get(name, 0.0) < SMALLEST_CHANGE:
                raise LikelihoodError(
                    f"systematics.{name}: changes no fitted template (samples "
                    f"{', '.join(systematic.samples)}; regions "
                    f"{', '.join(systematic.regions or ['all'])}); remove it, or mend its variation"
                )

    def _normalisations(self, sample: str) -> list[Modifier]:
        names = [
            name for name, target in self.config.fit.free_normalisations.items() if target == sample
        ]
        self._met.update(names)
        if self.config.samples[sample].role == "signal":
            names.insert(0, self.poi)
        return [{"name": name, "type": "normfactor", "data": None} for name in names]

    def _transfer(self, sample: str, region: str) -> list[Modifier]:
        if self.transfer is None or self.config.samples[sample].estimate != "same_sign":
            return []
        self.changes[TRANSFER] = self.transfer
        return [self._normsys(TRANSFER, sample, region, 1 + self.transfer, 1 - self.transfer)]

    def _systematics(self, sample: str, region: RegionTemplates) -> list[Modifier]:
        modifiers: list[Modifier] = []
        for name, systematic in self.config.systematics.items():
            if not acts_in(systematic, region.region):
                continue
            if systematic.kind == "rate":
                if sample in systematic.samples:
                    up, down = _rate_factors(name, systematic)
                    self._note_change(name, max(abs(up - 1.0), abs(down - 1.0)))
                    modifiers.append(self._normsys(name, sample, region.region, up, down))
            elif (name, sample) in region.varied:
                variation = region.varied[(name, sample)]
                nominal = region.nominal[sample].values
                modifiers += self._split(name, sample, region.region, nominal, variation)
        return modifiers

    def _split(
        self, name: str, sample: str, region: str, nominal: Array, variation: Variation
    ) -> list[Modifier]:
        """Divide a variation into a change of yield and a change of shape."""
        change = max(largest_change(nominal, v) for v in (variation.up, variation.down))
        if change < SMALLEST_CHANGE:
            return []
        self._note_change(name, change)
        total = nominal.sum()
        factors = [float(v.sum() / total) for v in (variation.up, variation.down)]
        shapes = [
            v / factor if factor >= SMALLEST_FACTOR else nominal
            for v, factor in zip((variation.up, variation.down), factors, strict=True)
        ]
        modifiers: list[Modifier] = []
        if max(abs(factor - 1.0) for factor in factors) >= SMALLEST_CHANGE:
            modifiers.append(self._normsys(name, sample, region, *factors))
        if max(largest_change(nominal, shape) for shape in shapes) >= SMALLEST_CHANGE:
            data = {"hi_data": _plain(shapes[0]), "lo_data": _plain(shapes[1])}
            modifiers.append({"name": name, "type": "histosys", "data": data})
        return modifiers

    def _normsys(self, name: str, sample: str, region: str, up: float, down: float) -> Modifier:
        for direction, factor in (("+1σ", up), ("-1σ", down)):
            if factor < SMALLEST_FACTOR:
                self.warnings.append(
                    f"{name}: yield of {sample} in {region} times {factor:.4g} at {direction}, "
                    f"raised to {SMALLEST_FACTOR}"
                )
                logger.warning("%s", self.warnings[-1])
        data = {"hi": max(up, SMALLEST_FACTOR), "lo": max(down, SMALLEST_FACTOR)}
        return {"name": name, "type": "normsys", "data": data}

    def _note_change(self, name: str, change: float) -> None:
        self.changes[name] = max(self.changes.get(name, 0.0), _finite(change))


def _finite(change: float) -> float:
    # A bin that is empty nominally and filled under the variation has no relative change; JSON
    # has no infinity, so its change counts as 100 %.
    return change if np.isfinite(change) else 1.0


def _parameter_of_interest(config: Config) -> str:
    if len(config.fit.poi) != 1:
        raise LikelihoodError(f"fit.poi: {config.fit.poi} must name exactly one parameter")
    low, high = config.fit.poi_range
    if not low < 1.0 < high:
        raise LikelihoodError(f"fit.poi_range: [{low:g}, {high:g}] must contain 1")
    if not any(sample.role == "signal" for sample in config.samples.values()):
        raise LikelihoodError("samples: none has `role: signal`, so there is nothing to measure")
    return config.fit.poi[0]


def _check_names(config: Config, poi: str) -> None:
    taken: dict[str, str] = {poi: "fit.poi", TRANSFER: "the opposite-sign/same-sign factor"}
    reserved = {
        f"staterror_{region}{suffix}": "the statistics of a region"
        for region in config.regions
        for suffix in ("", SIGNAL_STATISTICS)
    }
    taken.update(reserved)
    for section, names in (
        ("fit.free_normalisations", config.fit.free_normalisations),
        ("systematics", config.systematics),
    ):
        for name in names:
            if name in taken:
                raise LikelihoodError(f"{section}.{name}: the name is taken by {taken[name]}")
            taken[name] = section
    for name, sample in config.fit.free_normalisations.items():
        if sample not in config.samples:
            raise LikelihoodError(
                f"fit.free_normalisations.{name}: {sample!r} is not a sample "
                f"({', '.join(config.samples)})"
            )


def _transfer_size(config: Config, transfer: Mapping[str, Any] | None) -> float | None:
    if not any(sample.estimate == "same_sign" for sample in config.samples.values()):
        return None
    if transfer is None:
        return None
    size = transfer.get("relative_uncertainty")
    if not isinstance(size, int | float) or not np.isfinite(size) or size <= 0:
        raise LikelihoodError(
            f"transfer factor: relative_uncertainty is {size!r}, it must be a positive number"
        )
    return float(size)


def _rate_factors(name: str, systematic: Systematic) -> tuple[float, float]:
    if systematic.up is not None:
        down = -systematic.up if systematic.down is None else systematic.down
        return 1.0 + systematic.up, 1.0 + down
    if systematic.size is None:
        raise LikelihoodError(f"systematics.{name}.size: a rate needs `size`, or `up` and `down`")
    return 1.0 + systematic.size, 1.0 - systematic.size


def _observation(region: RegionTemplates, config: Config, blinded: bool) -> list[float]:
    if blinded and config.regions[region.region].role == "signal":
        return _plain(sum((c.values for c in region.nominal.values()), np.zeros_like(region.data)))
    return _plain(region.data)


def _region_record(region: RegionTemplates, config: Config) -> dict[str, Any]:
    return {
        "role": config.regions[region.region].role,
        **region.merging.to_json(),
        "samples": {
            name: {
                "yield": float(counts.values.sum()),
                "stat": float(np.sqrt(counts.variances.sum())),
            }
            for name, counts in region.nominal.items()
        },
    }


def _plain(values: Array | Sequence[float]) -> list[float]:
    return [float(value) for value in values]
