"""Checks of the section `systematics`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from taipan.analysis import Analysis
from taipan.checks.decorrelation import check_control_region
from taipan.config.model import Config
from taipan.config.sections.systematics import Systematic
from taipan.datasets import Catalogue
from taipan.suggestions import unknown

WEIGHTS = ("pileup",)
"""Weights that a systematic of kind `weight` may vary, besides those of the section `weights`."""

_DETAILS = ("size", "up", "down", "shift", "weight", "datasets", "region")
_NEEDED: Mapping[str, tuple[frozenset[str], ...]] = {
    "rate": (frozenset({"size"}), frozenset({"up", "down"})),
    "kinematic": (frozenset({"shift", "size"}),),
    "weight": (frozenset({"weight"}),),
    "sample": (frozenset({"datasets"}),),
    "control_residual": (frozenset({"region"}),),
}
_ALLOWED = {
    "rate": "either size, or up and down",
    "kinematic": "shift and size",
    "weight": "weight",
    "sample": "datasets",
    "control_residual": "region",
}


def check_systematics(config: Config, catalogue: Catalogue, analysis: Analysis) -> Iterator[str]:
    """Yield one line a problem of the section `systematics`."""
    checks: Mapping[str, Callable[..., Iterator[str]]] = {
        "rate": _check_rate,
        "kinematic": _check_kinematic,
        "weight": _check_weight,
        "sample": _check_sample,
        "control_residual": _check_control_residual,
    }
    for name, systematic in config.systematics.items():
        path = f"systematics.{name}"
        yield from _check_targets(path, systematic, config)
        yield from _check_details(path, systematic)
        yield from checks[systematic.kind](path, systematic, config, catalogue, analysis)


def _check_targets(path: str, systematic: Systematic, config: Config) -> Iterator[str]:
    targets: list[tuple[str, list[str], Iterable[str]]] = [
        ("sample", systematic.samples, config.samples)
    ]
    if systematic.regions is not None:
        targets.append(("region", systematic.regions, config.regions))
        if not systematic.regions:
            yield f"{path}.regions: an empty list changes nothing; leave it out for all regions"
    for what, names, known in targets:
        for i, name in enumerate(names):
            where = f"{path}.{what}s[{i}]"
            if name not in known:
                yield unknown(where, name, what, known)
            elif name in names[:i]:
                yield f"{where}: '{name}' is a duplicate of {path}.{what}s[{names.index(name)}]"
            elif (
                what == "sample"
                and systematic.kind != "rate"
                and not config.samples[name].is_simulated
                and not (systematic.kind == "weight" and systematic.weight in config.weights)
            ):
                yield (
                    f"{where}: '{name}' is estimated from data; a {systematic.kind} systematic "
                    "reaches it through the simulation that is subtracted (only kind rate is "
                    "allowed)"
                )


def _check_details(path: str, systematic: Systematic) -> Iterator[str]:
    given = {key for key in _DETAILS if getattr(systematic, key) is not None}
    choices = _NEEDED[systematic.kind]
    needs = f"kind {systematic.kind} takes {_ALLOWED[systematic.kind]}"
    for key in sorted(given - frozenset().union(*choices)):
        yield f"{path}.{key}: not a key of this systematic; {needs}"
    if not any(choice == given & frozenset().union(*choices) for choice in choices):
        have = ", ".join(key for key in _DETAILS if key in given) or "none"
        yield f"{path}: {needs}; given: {have}"
    if systematic.one_sided and (systematic.kind != "kinematic" or systematic.symmetrize):
        yield f"{path}.one_sided: true is for kind kinematic without symmetrize"
    for i, over in enumerate(systematic.decorrelate):
        first = systematic.decorrelate.index(over)
        if first < i:
            yield f"{path}.decorrelate[{i}]: '{over}' is a duplicate of {path}.decorrelate[{first}]"
    if systematic.smooth != "none" and systematic.kind == "rate":
        yield f"{path}.smooth: {systematic.smooth} has no meaning for a rate; {needs}"
    if systematic.smooth != "none" and systematic.kind == "control_residual":
        yield f"{path}.smooth: {systematic.smooth}; a control_residual is smooth already (none)"
    if systematic.symmetrize and systematic.kind in ("rate", "control_residual"):
        yield f"{path}.symmetrize: true has no meaning for a {systematic.kind}; {needs}"


def _check_rate(path: str, systematic: Systematic, *_: object) -> Iterator[str]:
    if systematic.up == 0.0 and systematic.down == 0.0:
        yield f"{path}: up and down are 0; the systematic changes nothing"


def _check_kinematic(
    path: str, systematic: Systematic, config: Config, _: Catalogue, analysis: Analysis
) -> Iterator[str]:
    if systematic.shift is None:
        return
    shift = analysis.shifts.get(systematic.shift)
    if shift is None:
        yield unknown(f"{path}.shift", systematic.shift, "shift", analysis.shifts)
        return
    envelope = config.skim.envelope.get(shift.envelope) if shift.envelope else None
    if envelope is not None and systematic.size is not None and systematic.size > envelope:
        yield (
            f"{path}.size: {systematic.size:g} exceeds skim.envelope.{shift.envelope} "
            f"({envelope:g}), the largest variation the skim keeps events for; a larger envelope "
            "re-runs the skim"
        )


def _check_weight(path: str, systematic: Systematic, config: Config, *_: object) -> Iterator[str]:
    if systematic.weight is None:
        return
    estimated = [n for n, item in config.samples.items() if not item.is_simulated]
    if set(estimated) & set(systematic.samples) and len(systematic.samples) > 1:
        yield (
            f"{path}.samples: {', '.join(systematic.samples)}: '{estimated[0]}' is estimated from "
            "data; a weight of the events it is made of has no other sample"
        )
    known = [*WEIGHTS, *config.weights]
    if systematic.weight not in known:
        yield unknown(f"{path}.weight", systematic.weight, "weight", known)
    elif systematic.weight == "pileup" and not config.pileup.enabled:
        yield f"{path}.weight: 'pileup' needs pileup.enabled: true"


def _check_control_residual(
    path: str, systematic: Systematic, config: Config, *_: object
) -> Iterator[str]:
    if systematic.region is not None:
        yield from check_control_region(f"{path}.region", systematic.region, config)


def _check_sample(
    path: str, systematic: Systematic, config: Config, catalogue: Catalogue, _: Analysis
) -> Iterator[str]:
    simulated = [name for name, dataset in catalogue.datasets.items() if not dataset.is_data]
    datasets = systematic.datasets
    if datasets is None:
        return
    if not datasets:
        yield f"{path}.datasets: an empty list replaces nothing ({', '.join(simulated)})"
    for i, name in enumerate(datasets):
        where = f"{path}.datasets[{i}]"
        if name not in simulated:
            what = f"simulated dataset of catalogue '{catalogue.name}'"
            yield unknown(where, name, what, simulated)
        elif name in datasets[:i]:
            yield f"{where}: '{name}' is a duplicate of {path}.datasets[{datasets.index(name)}]"
    for sample in systematic.samples:
        if sample in config.samples and set(config.samples[sample].datasets) == set(datasets):
            yield f"{path}.datasets: those of '{sample}' itself; the systematic changes nothing"
