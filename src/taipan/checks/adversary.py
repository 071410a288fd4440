"""Checks of the adversarial training: its domains must differ by experiment, never by theory."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.analysis import Analysis
from taipan.config.model import Config
from taipan.config.sections.adversary import Adversary, ControlSample
from taipan.estimates.registry import find_estimate
from taipan.suggestions import unknown

Problems = Iterator[str]

_PATH = "training.adversary.control_sample"
_HIDES = (
    "a score decorrelated from a choice between two generators or theories hides their difference "
    "and does not reduce the uncertainty that it stands for (arXiv:2109.08159)"
)
_HAS_TEMPLATES = "a variation has its own templates in the fit"


def check_adversary(config: Config, analysis: Analysis) -> Problems:
    """Check `training.adversary`, `training.decorrelate` and `adversary_scan`.

    Parameters
    ----------
    config
        Validated configuration.
    analysis
        Gives the quantities.

    Yields
    ------
    str
        One line a problem, with key path, bad value and allowed values.
    """
    settings = config.training.adversary
    sample = settings.control_sample
    yield from _check_domains(config, sample)
    if settings.enabled or sample.region != ControlSample().region:
        yield from _check_region(config, sample.region)
    yield from _check_features(config, analysis, settings)
    yield from _check_decorrelation(config, analysis)
    epochs = config.training.epochs
    if settings.enabled and settings.warmup_epochs >= epochs:
        yield (
            f"training.adversary.warmup_epochs: {settings.warmup_epochs} is not below "
            f"training.epochs ({epochs}); no epoch would be left to keep"
        )
    values = config.adversary_scan.values
    for i, value in enumerate(values):
        if value in values[:i]:
            yield f"adversary_scan.values[{i}]: {value:g} is listed twice"


def _check_domains(config: Config, sample: ControlSample) -> Problems:
    """Allow collision data and the nominal simulation as domains, nothing else."""
    simulated = [name for name, item in config.samples.items() if item.is_simulated]
    for i, name in enumerate(sample.simulation):
        path = f"{_PATH}.simulation[{i}]"
        reason = _refusal(config, name)
        if name in simulated:
            if name in sample.simulation[:i]:
                yield f"{path}: '{name}' is listed twice"
        elif name in config.samples:
            yield (
                f"{path}: '{name}' is estimated from data and subtracted from them "
                f"({', '.join(simulated)})"
            )
        elif reason:
            yield f"{path}: {reason}; allowed: {', '.join(simulated)}"
        else:
            yield unknown(path, name, "simulated sample", simulated)


def _refusal(config: Config, name: str) -> str:
    """Say why a name that is no domain is refused; empty if it is not known at all."""
    systematic = config.systematics.get(name)
    if systematic is not None:
        if systematic.alternatives:
            return f"'{name}' is an alternative simulation (kind {systematic.kind}): {_HIDES}"
        if systematic.group == "theory":
            return f"'{name}' is a theory uncertainty ({systematic.kind}): {_HIDES}"
        return f"'{name}' is a systematic: the domains are data and simulation, {_HAS_TEMPLATES}"
    for key, item in config.systematics.items():
        if name in item.alternatives:
            return f"'{name}' is the alternative simulation of systematics.{key}: {_HIDES}"
    if any(name in item.datasets for item in config.samples.values()):
        return f"'{name}' is a simulated dataset, not a sample"
    return ""


def _check_region(config: Config, name: str) -> Problems:
    path = f"{_PATH}.region"
    allowed = [
        key
        for key, item in config.regions.items()
        if item.role != "signal" and key != config.training.region
    ]
    if name not in config.regions:
        yield unknown(path, name, "region", allowed)
        return
    if name == config.training.region or config.regions[name].role == "signal":
        yield f"{path}: '{name}' is a signal region; allowed: {', '.join(allowed)}"
    found = find_estimate(config.samples)
    if found is not None and name not in found[1].sources:
        yield (
            f"{path}: '{name}' is none of samples.{found[0]}.estimate.regions, so '{found[0]}' "
            "cannot be subtracted from its data"
        )


def _check_features(config: Config, analysis: Analysis, settings: Adversary) -> Problems:
    path = f"{_PATH}.neutral"
    continuous = [name for name in config.features if name not in config.categorical]
    # an overlay may leave features out that define the region: what no network sees is neutral
    harmless = set(analysis.quantities) - set(config.features) if config.networks else set()
    for i, name in enumerate(settings.control_sample.neutral):
        if name not in continuous and name not in harmless:
            yield unknown(f"{path}[{i}]", name, "continuous feature", continuous)
    for i, name in enumerate(settings.condition_on):
        yield from _check_quantity(analysis, f"training.adversary.condition_on[{i}]", name)


def _check_decorrelation(config: Config, analysis: Analysis) -> Problems:
    for i, item in enumerate(config.training.decorrelate):
        path = f"training.decorrelate[{i}]"
        yield from _check_quantity(analysis, f"{path}.variable", item.variable)
        if item.region not in config.regions:
            yield unknown(f"{path}.region", item.region, "region", config.regions)
        same = [
            (other.variable, other.region, other.method) for other in config.training.decorrelate
        ]
        if (item.variable, item.region, item.method) in same[:i]:
            yield f"{path}: '{item.variable}' in '{item.region}' by {item.method} is listed twice"


def _check_quantity(analysis: Analysis, path: str, name: str) -> Problems:
    usable = [key for key, item in analysis.quantities.items() if not item.simulation_only]
    if name not in usable:
        yield unknown(path, name, "quantity that data have", usable)
