"""The modifiers of every sample: normalisations, systematics, statistics."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from taipan.config.model import Config
from taipan.config.polynomials import Polynomial
from taipan.estimates.registry import MeasuredEstimate, filled_places
from taipan.events.variations import with_sources
from taipan.likelihood.counted import FreeYields
from taipan.likelihood.errors import LikelihoodError
from taipan.likelihood.factors import join_rates, list_factor_changes
from taipan.likelihood.merge import BinYields
from taipan.likelihood.polynomial_parts import divide_sample
from taipan.likelihood.statistics import name_statistics, shift_variances
from taipan.likelihood.subtracted import shift_estimate
from taipan.likelihood.table import SMALLEST_CHANGE, TemplatePair, largest_change, plain
from taipan.likelihood.templates import RegionTemplates, acts_in
from taipan.likelihood.treatment import (
    SMALLEST_FACTOR,
    Pruned,
    TreatedPart,
    TreatmentRecord,
    is_kept,
    parameter_name,
    rate_size,
    shape_size,
    split_variation,
    treat_variation,
)
from taipan.systematics.base import Systematic

logger = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]
Modifier = dict[str, Any]


class Builder:
    """Collects modifiers, and remembers which systematics have changed something.

    Attributes
    ----------
    changes
        Systematic → largest relative change of a fitted bin, before pruning.
    treatment
        What was smoothed and pruned.
    warnings
        What a reader of the result should know.
    free
        Parameters that multiply free yields of an estimated sample.
    parts
        Part of a divided sample → the sample.
    """

    def __init__(
        self,
        config: Config,
        estimate: MeasuredEstimate | None,
        *,
        prune: bool,
        treat: bool = True,
        noise_removed: float = 0.0,
    ) -> None:
        self.config = config
        self.estimate = estimate
        self.prune = prune
        self.treat = treat
        self.noise_removed = noise_removed
        self.warnings: list[str] = []
        self.changes: dict[str, float] = {}
        self.treatment = TreatmentRecord()
        self._places = filled_places(config.samples)
        self.free: dict[str, None] = {}
        self.parts: dict[str, str] = {}
        self._met: set[str] = set()
        self._sample_changes: dict[tuple[str, str], float] = {}
        self._shift_noise: dict[tuple[str, str], Array | float] = {}

    def channel(self, region: RegionTemplates) -> dict[str, Any]:
        """Give the channel of one region.

        A sample estimated from data holds the data of the source times the factor, and every
        simulated sample has a partner with the negative of what was subtracted from them. Whatever
        scales the sample scales its partner, so the estimate follows.
        """
        self._compare_samples(region)
        samples = []
        for name, counts in region.nominal.items():
            modifiers = self._normalisations(name, region.region)
            if name == region.estimated:
                data = BinYields(
                    counts.values + sum(item.values for item in region.subtracted.values()),
                    counts.variances,
                )
                modifiers += self._transfer(name, region)
                modifiers += self._estimate_systematics(name, region, data)
            else:
                data = counts
                modifiers += self._rates(name, name, region.region)
                modifiers += self._varied(name, region, counts)
            made = self._sample(name, name, region.region, data, modifiers)
            samples += self._divide(name, made)
        if region.free is not None:
            samples.append(self._free_sample(region.free, region))
        if self.estimate is not None and region.estimated in region.nominal:
            samples += list(self._partners(region, self.estimate))
        return {"name": region.region, "samples": samples}

    def _free_sample(self, free: FreeYields, region: RegionTemplates) -> dict[str, Any]:
        """Give a sample whose yields the fit finds; the counts of its regions constrain them."""
        kinds = {free.per_bin: "shapefactor"} if free.per_bin else {}
        kinds |= dict.fromkeys(free.scales, "normfactor")
        modifiers: list[Modifier] = [
            {"name": name, "type": kind, "data": None} for name, kind in kinds.items()
        ]
        self.free.update(dict.fromkeys(free.scales))
        for name, size in (free.constrained or {}).items():
            self._note_change(name, size)
            self.treatment.parameters[name] = name
            modifiers.append(self._normsys(name, free.sample, region.region, 1 + size, 1 - size))
        if free.is_result:
            modifiers += self._rates(free.sample, free.sample, region.region)
        return {"name": free.sample, "data": plain(free.values), "modifiers": modifiers}

    def _partners(
        self, region: RegionTemplates, estimate: MeasuredEstimate
    ) -> Iterator[dict[str, Any]]:
        for name, counts in region.subtracted.items():
            partner = estimate.subtracted(name)
            modifiers = [
                *self._normalisations(name, region.region),
                *self._transfer(partner, region, name),
                *join_rates(
                    *(self._rates(i, partner, region.region) for i in (name, estimate.sample))
                ),
            ]
            # its Σw² is part of that of the estimated sample; 0.0 - x has no negative zeros
            data = BinYields(0.0 - counts.values, np.zeros_like(counts.values))
            yield from self._divide(
                name, self._sample(partner, name, region.region, data, modifiers)
            )

    def _divide(self, name: str, made: dict[str, Any]) -> list[dict[str, Any]]:
        """Divide a sample into the terms of what scales it; most have one."""
        scale = self._scale(name)
        if scale is None or scale.is_product:
            return [made]
        self._met.update(scale.names)
        divided = divide_sample(made, scale)
        self.parts.update(dict.fromkeys((part["name"] for part in divided), made["name"]))
        return divided

    def _scale(self, sample: str) -> Polynomial | None:
        is_signal = self.config.samples[sample].role == "signal"
        return self.config.fit.find_scale(sample, is_signal=is_signal)

    def _sample(
        self, name: str, simulated: str, region: str, counts: BinYields, modifiers: list[Modifier]
    ) -> dict[str, Any]:
        if self.config.fit.mc_statistics:
            is_signal = self.config.samples[simulated].role == "signal"
            variances = counts.variances + self._shift_noise.get((region, name), 0.0)
            modifiers.append(
                {
                    "name": name_statistics(region, is_signal=is_signal),
                    "type": "staterror",
                    "data": plain(np.sqrt(variances)),
                }
            )
        return {"name": name, "data": plain(counts.values), "modifiers": modifiers}

    def check_everything_acts(self) -> None:
        """Refuse declared parameters that change no fitted template.

        A systematic that changes templates of some of its samples only is warned of: what little
        a variation does to few events can be lost when bins are merged.
        """
        for name, factor in self.config.fit.normalisations.items():
            if name not in self._met:
                raise LikelihoodError(
                    f"fit.free_normalisations.{name}: {', '.join(factor.samples)}: in no fitted "
                    f"region{'' if factor.regions is None else ' of ' + ', '.join(factor.regions)}"
                )
        for name in self.config.fit.pois:
            if name not in self._met:
                raise LikelihoodError(
                    f"fit: the signals of parameter of interest {name!r} are in no fitted region"
                )
        unmeasured = self.config.fit.unmeasured
        for name, systematic in self.config.systematics.items():
            if set(systematic.samples) <= unmeasured.get(name, set()):
                continue  # it is the uncertainty of a prediction, and nothing else
            if self.changes.get(name, 0.0) < SMALLEST_CHANGE:
                raise LikelihoodError(
                    f"systematics.{name}: changes no fitted template (samples "
                    f"{', '.join(systematic.samples)}; regions "
                    f"{', '.join(systematic.regions or ['all'])}); remove it, or mend its variation"
                )
        for (name, sample), change in self._sample_changes.items():
            if change < SMALLEST_CHANGE:
                warning = f"systematics.{name}: changes no fitted template of sample {sample}"
                self.warnings.append(warning)
                logger.warning("%s", warning)

    def _compare_samples(self, region: RegionTemplates) -> None:
        """Note how much each varied template of a sample differs, those subtracted included."""
        for nominal, varied in (
            (region.nominal, region.varied),
            (region.subtracted, region.subtracted_varied),
        ):
            for key, variation in varied.items():
                values = nominal[key[1]].values
                change = max(largest_change(values, v) for v in (variation.up, variation.down))
                self._sample_changes[key] = max(self._sample_changes.get(key, 0.0), change)

    def _normalisations(self, sample: str, region: str) -> list[Modifier]:
        names = [
            name
            for name, factor in self.config.fit.normalisations.items()
            if sample in factor.samples and (factor.regions is None or region in factor.regions)
        ]
        scale = self._scale(sample)
        if scale is not None and scale.is_product:
            names = [*scale.names, *names]
        self._met.update(names)
        return [{"name": name, "type": "normfactor", "data": None} for name in names]

    def _transfer(self, shown: str, region: RegionTemplates, simulated: str = "") -> list[Modifier]:
        """Give the uncertainties of the factors of an estimate.

        A factor of all events changes the yield; one of some of them is a change of shape, too,
        linear in its parameter. `shown` is the name in the model of the data, or of the `simulated`
        sample that is subtracted.
        """
        modifiers = []
        for change in list_factor_changes(region.parts, simulated):
            self._note_change(change.name, change.size)
            self.treatment.parameters[change.name] = change.name
            if change.factors is not None:
                up, down = change.factors
                modifiers.append(self._normsys(change.name, shown, region.region, up, down))
            elif change.templates is not None:
                data = dict(zip(("hi_data", "lo_data"), map(plain, change.templates), strict=True))
                modifiers.append({"name": change.name, "type": "histosys", "data": data})
        return modifiers

    def _rates(self, sample: str, shown: str, region: str) -> list[Modifier]:
        """Give the rate systematics of a sample; `shown` is its name in the model."""
        modifiers = []
        unmeasured = self.config.fit.unmeasured
        for name, systematic in self._acting(region):
            if sample in unmeasured.get(name, ()):
                continue
            up, down = systematic.yield_factor(1.0), systematic.yield_factor(-1.0)
            if up is not None and down is not None and sample in systematic.samples:
                size = rate_size(up, down)
                self._note_change(name, size)
                if self._keep(name, shown, region, "rate", size):
                    parameter = self._parameter(name, sample, region, "rate")
                    modifiers.append(self._normsys(parameter, shown, region, up, down))
        return modifiers

    def _varied(self, sample: str, region: RegionTemplates, counts: BinYields) -> list[Modifier]:
        """Give the template systematics of a simulated sample."""
        modifiers: list[Modifier] = []
        for name, _ in self._acting(region.region):
            if (name, sample) in region.varied:
                varied = region.varied[name, sample]
                treated = self._treat(name, sample, region, counts, varied)
                modifiers += self._split(name, [sample], sample, region.region, counts, treated)
        return modifiers

    def _estimate_systematics(
        self, sample: str, region: RegionTemplates, counts: BinYields
    ) -> list[Modifier]:
        """Give what an estimated sample takes over from the simulation that is subtracted."""
        modifiers = self._rates(sample, sample, region.region)
        offset = counts.values - region.nominal[sample].values
        for name, systematic in self._acting(region.region):
            if (name, sample) in region.varied:  # a weight of the events it is made of
                own = region.varied[name, sample]
                shifted = TemplatePair(own.up + offset, own.down + offset, own.errors)
                treated = self._treat(name, sample, region, counts, shifted, offset)
                modifiers += self._split(name, [sample], sample, region.region, counts, treated)
            groups: dict[str, list[str]] = {}
            for varied, simulated in region.subtracted_varied:
                if varied == name:
                    key = simulated if "sample" in systematic.decorrelate else ""
                    groups.setdefault(key, []).append(simulated)
            for members in groups.values():
                before = [region.subtracted[simulated].values for simulated in members]
                after = [region.subtracted_varied[name, simulated] for simulated in members]
                both = shift_estimate(counts.values, before, after)
                treated = self._treat(name, sample, region, counts, both, offset)
                modifiers += self._split(name, members, sample, region.region, counts, treated)
        return modifiers

    def _treat(
        self,
        name: str,
        sample: str,
        region: RegionTemplates,
        counts: BinYields,
        variation: TemplatePair,
        offset: Array | float = 0.0,
    ) -> TemplatePair:
        if not self.treat:
            return variation
        place, edges = (sample, region.region), region.merging.edges_after
        systematic, record = self.config.systematics[name], self.treatment
        known = (name, systematic, place, counts, variation, edges, record, offset)
        return treat_variation(*known, noise_removed=self.noise_removed)

    def _split(
        self,
        name: str,
        simulated: Sequence[str],
        sample: str,
        region: str,
        counts: BinYields,
        variation: TemplatePair,
    ) -> list[Modifier]:
        """Turn a variation of one sample into a change of yield and a change of shape."""
        nominal = counts.values
        change = max(largest_change(nominal, v) for v in (variation.up, variation.down))
        if change < SMALLEST_CHANGE:
            return []
        self._note_change(name, change)
        if self.treat and self.config.fit.shift_statistics:
            known = self._shift_noise.get((region, sample), 0.0)
            self._shift_noise[region, sample] = known + shift_variances(variation)
        split = split_variation(nominal, variation)
        modifiers: list[Modifier] = []
        size = rate_size(split.up, split.down)
        if self._keep(name, sample, region, "rate", size):
            parameter = self._parameter(name, simulated[0], region, "rate")
            modifiers.append(self._normsys(parameter, sample, region, split.up, split.down))
        if self._keep(name, sample, region, "shape", shape_size(nominal, split)):
            data = {"hi_data": plain(split.shape_up), "lo_data": plain(split.shape_down)}
            parameter = self._parameter(name, simulated[0], region, "shape")
            modifiers.append({"name": parameter, "type": "histosys", "data": data})
        return modifiers

    def _keep(self, name: str, sample: str, region: str, part: TreatedPart, size: float) -> bool:
        if size < SMALLEST_CHANGE:
            return False
        systematic = self.config.systematics[name]
        if not self.prune or is_kept(size, part, systematic, self.config.templates):
            return True
        self.treatment.pruned.append(Pruned(name, sample, region, part, size))
        return False

    def _parameter(self, name: str, sample: str, region: str, part: TreatedPart) -> str:
        parameter = parameter_name(name, self.config.systematics[name], sample, region, part)
        owner = self.treatment.parameters.setdefault(parameter, name)
        taken = {*self.config.fit.pois, *self.config.fit.free_normalisations}
        if self.estimate is not None:
            taken.update(self.estimate.method.parameters)
        others = {*self.config.systematics} - {name}
        if owner != name or (parameter != name and parameter in taken | others):
            raise LikelihoodError(
                f"systematics.{name}.decorrelate: the parameter {parameter!r} exists already; "
                "rename one of the two"
            )
        return parameter

    def _acting(self, region: str) -> Iterable[tuple[str, Systematic]]:
        for name, systematic in self.config.systematics.items():
            if acts_in(with_sources(systematic, self._places), region):
                yield name, systematic

    def _normsys(self, name: str, sample: str, region: str, up: float, down: float) -> Modifier:
        for direction, factor in (("+1σ", up), ("-1σ", down)):
            # a partner has the factors of its sample, which was warned of
            if factor < SMALLEST_FACTOR and sample in self.config.samples:
                warning = (
                    f"{name}: yield of {sample} in {region} times {factor:.4g} at {direction}, "
                    f"raised to {SMALLEST_FACTOR}"
                )
                self.warnings.append(warning)
                logger.warning("%s", warning)
        data = {"hi": max(up, SMALLEST_FACTOR), "lo": max(down, SMALLEST_FACTOR)}
        return {"name": name, "type": "normsys", "data": data}

    def _note_change(self, name: str, change: float) -> None:
        finite = change if np.isfinite(change) else 1.0
        self.changes[name] = max(self.changes.get(name, 0.0), finite)
