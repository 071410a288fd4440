"""Checks that need more than one key: what a key names must exist and make sense there.

Each check yields one line a problem, ``key path: bad value ... (what is allowed)``;
:func:`check_config` collects them all, so that one run of ``taipan config check`` shows them all.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from taipan.analysis import Analysis
from taipan.checks.adversary import check_adversary
from taipan.checks.binning import check_binning
from taipan.checks.classes import check_classes, score_names
from taipan.checks.corrections import check_corrections
from taipan.checks.coverage import check_coverage
from taipan.checks.decorrelation import check_decorrelation_settings
from taipan.checks.fit import check_fit, fittable_regions
from taipan.checks.networks import check_each_network, check_networks
from taipan.checks.plotting import check_plotting
from taipan.checks.pseudo_data import check_pseudo_data
from taipan.checks.quantities import (
    check_expression,
    check_measured,
    check_possible,
    check_quantity,
)
from taipan.checks.regions import check_edges, check_region_bins
from taipan.checks.robustness import check_robustness
from taipan.checks.samples import check_confined
from taipan.checks.sensitivity import check_sensitivity
from taipan.checks.skim import check_envelope, check_luminosity, check_skim
from taipan.checks.source import check_results, check_source, existing_part
from taipan.checks.systematics import check_systematics
from taipan.checks.training import check_training
from taipan.checks.unfolding import check_unfolding
from taipan.checks.weights import check_weight_definitions
from taipan.columns.expressions import (
    Expression,
    certainly_shared,
    parse_expression,
    provably_disjoint,
)
from taipan.config.model import Config
from taipan.config.networks import list_scores
from taipan.config.sections.observables import Observable
from taipan.config.sections.regions import Region
from taipan.datasets import Catalogue, data_datasets
from taipan.errors import TaipanError
from taipan.estimates.base import FREE_YIELD
from taipan.estimates.registry import add_divided
from taipan.labels import SCORE
from taipan.suggestions import unknown

RESERVED_SAMPLES = ("data", "total", "signal", "background")
"""Names with a meaning of their own in histograms, plots and yields."""

Problems = Iterator[str]


def check_config(
    config: Config, catalogue: Catalogue, analysis: Analysis, *, writes: bool = True
) -> None:
    """Check a validated configuration against its dataset catalogue and analysis module.

    Parameters
    ----------
    config
        Configuration; relative paths in it count from the working directory.
    catalogue
        Dataset catalogue that it names.
    analysis
        Analysis module that it names.
    writes
        Whether results will be written; a dry run only reads them.

    Raises
    ------
    TaipanError
        If anything is wrong; one line a problem, with key path, bad value and allowed values.
    """
    problems = [
        *_check_names(config),
        *_check_datasets(config, catalogue),
        *_check_samples(config, analysis),
        *check_confined(config),
        *_check_regions(config, analysis),
        *check_region_bins(config, _list_scores(config)),
        *_check_estimates(config, analysis),
        *_check_features(config, analysis),
        *check_networks(config),
        *(check_each_network(check_training, config) if config.features else ()),
        *(check_each_network(check_sensitivity, config) if config.features else ()),
        *check_classes(config, analysis),
        *(
            check_each_network(functools.partial(check_adversary, analysis=analysis), config)
            if config.features
            else ()
        ),
        *_check_observables(config, analysis),
        *check_envelope(config, analysis),
        *check_systematics(config, catalogue, analysis),
        *check_weight_definitions(config, analysis),
        *check_corrections(config, analysis),
        *check_binning(config),
        *check_fit(config),
        *check_unfolding(config, analysis),
        *check_skim(config, catalogue),
        *check_source(config, catalogue, analysis),
        *(check_pseudo_data(config) if catalogue.pseudo_data is not None else ()),
        *check_coverage(config),
        *(check_decorrelation_settings(config, analysis) if config.features else ()),
        *check_robustness(config),
        *check_plotting(config),
        *check_results(config, catalogue),
        *check_access(config, writes=writes),
    ]
    if problems:
        raise TaipanError("\n".join(problems))


def _check_names(config: Config) -> Problems:
    for name in config.samples:
        if name in RESERVED_SAMPLES:
            yield f"samples.{name}: a sample may not be called {', '.join(RESERVED_SAMPLES)}"
        if name in config.regions:
            yield f"samples.{name}: '{name}' is also the name of a region; names must be unique"
    free = [f"fit.free_normalisations.{name}" for name in config.fit.free_normalisations]
    used: dict[str, str] = {}
    for name, sample in config.samples.items():
        if sample.estimate is not None:
            used.update(dict.fromkeys(sample.estimate.parameters, f"samples.{name}.estimate"))
    for path, name in [
        ("fit.poi", config.fit.poi),
        *((f"fit.parameters_of_interest.{name}", name) for name in config.fit.pois[1:]),
        *zip(free, config.fit.free_normalisations, strict=True),
        *((f"systematics.{name}", name) for name in config.systematics),
    ]:
        if name in used:
            yield f"{path}: '{name}' is already the fit parameter of {used[name]}"
        if name.startswith("staterror_"):
            yield f"{path}: '{name}': names with staterror_ belong to the statistical parameters"
        if name.startswith(FREE_YIELD):
            yield f"{path}: '{name}': names with {FREE_YIELD} belong to the counts of an estimate"
        used.setdefault(name, path)


def _check_datasets(config: Config, catalogue: Catalogue) -> Problems:
    known = catalogue.datasets
    simulated = [name for name, dataset in known.items() if not dataset.is_data]
    collisions = [name for name, dataset in known.items() if dataset.is_data]
    data = data_datasets(config, catalogue)
    yield from _duplicates("data", data)
    for i, name in enumerate(data):
        if name not in collisions:
            what = f"dataset of collision data in catalogue '{catalogue.name}'"
            yield unknown(f"data[{i}]", name, what, collisions)
        elif catalogue.kind != "simulation":
            yield from check_luminosity(f"data[{i}]", name, catalogue)
    if catalogue.kind == "simulation" and set(data) <= set(collisions):
        for name in collisions:
            if name not in data:
                yield (
                    f"data: '{name}' is missing; fastsim.luminosity is that of all its data "
                    f"({', '.join(collisions)})"
                )
    for sample, settings in config.samples.items():
        path = f"samples.{sample}.datasets"
        yield from _duplicates(path, settings.datasets)
        for i, name in enumerate(settings.datasets):
            if name not in simulated:
                what = f"simulated dataset of catalogue '{catalogue.name}'"
                yield unknown(f"{path}[{i}]", name, what, simulated)
            else:
                yield from _check_event_count(f"{path}[{i}]", name, config, catalogue)
    for systematic, item in config.systematics.items():
        for i, name in enumerate(item.alternatives):
            if name in simulated:
                path = f"systematics.{systematic}.datasets[{i}]"
                yield from _check_event_count(path, name, config, catalogue)
    for name in config.fastsim.events if catalogue.kind == "simulation" else ():
        if name not in simulated:
            what = f"simulated dataset of catalogue '{catalogue.name}'"
            yield unknown(f"fastsim.events.{name}", name, what, simulated)


def _check_event_count(path: str, name: str, config: Config, catalogue: Catalogue) -> Problems:
    dataset = catalogue.datasets[name]
    known = dataset.generated_events is not None
    if catalogue.kind == "simulation":
        known = known or name in config.fastsim.events
    elif catalogue.kind == "skims":
        known = known or dataset.sumw is not None
    else:
        known = True  # a file of unskimmed events can be counted
    if not known:
        yield (
            f"{path}: '{name}' has no generated_events in catalogue '{catalogue.name}', so it "
            "cannot be normalised"
        )


def _check_samples(config: Config, analysis: Analysis) -> Problems:
    # without a network, the cross section of a background may be all that is measured
    is_measured = not config.features and bool(config.fit.parameters_of_interest)
    for role in ("background",) if is_measured else ("signal", "background"):
        if not any(sample.role == role for sample in config.samples.values()):
            yield f"samples: no sample has role {role}; at least one is needed"
    for name, sample in config.samples.items():
        if sample.select is None:
            continue
        yield from check_expression(f"samples.{name}.select", sample.select, analysis)
        if not sample.is_simulated:
            yield f"samples.{name}.select: a sample estimated from data takes no `select`"
    for (a, first), (b, second) in itertools.combinations(config.samples.items(), 2):
        shared = sorted(set(first.datasets) & set(second.datasets))
        if shared and not _disjoint(first.select or "True", second.select or "True"):
            yield (
                f"samples.{b}.datasets: '{shared[0]}' also belongs to sample '{a}': its events "
                "would count twice unless `select` of both confines one term to ranges without "
                f"overlap ({a}: {first.select}, {b}: {second.select})"
            )


def _check_split(path: str, region: Region, analysis: Analysis) -> Problems:
    """Yield one line a problem of the ranges that a region is divided into."""
    if region.split is None:
        return
    if not region.split:
        yield f"{path}: names no quantity (such as {{mass: [60, 80]}})"
    for name, edges in region.split.items():
        if not edges:
            yield f"{path}.{name}: no edges; one makes two ranges"
        else:
            yield from check_edges(f"{path}.{name}", edges, is_score=False)
        if not analysis.is_late(name):
            yield from check_measured(f"{path}.{name}", name, analysis)


def _check_regions(config: Config, analysis: Analysis) -> Problems:
    regions = config.regions
    for name, region in regions.items():
        yield from check_expression(f"regions.{name}.cut", region.cut, analysis, late=True)
        yield from check_possible(f"regions.{name}.cut", region.cut)
        yield from _check_split(f"regions.{name}.split", region, analysis)
    if not any(region.role == "signal" for region in regions.values()):
        yield "regions: no region has role signal; at least one is needed"
    fitted = fittable_regions(config)
    for (a, first), (b, second) in itertools.combinations(fitted.items(), 2):
        if _shared(first.cut, second.cut):
            yield (
                f"regions.{b}.cut: '{second.cut}' is not shown to be disjoint from region '{a}' "
                f"('{first.cut}'); both are fitted, so their cuts must confine one term to "
                "ranges without overlap (such as m < 110 and m > 110)"
            )
    if config.features and config.training.region not in regions:
        yield unknown("training.region", config.training.region, "region", regions)


def _check_estimates(config: Config, analysis: Analysis) -> Problems:
    estimated = [name for name, item in config.samples.items() if not item.is_simulated]
    for name in estimated[1:]:
        yield (
            f"samples.{name}.estimate: sample '{estimated[0]}' is estimated from data, too; each "
            "is all of data minus simulation, which would count twice (one sample at most)"
        )
    try:
        add_divided(config.regions, config.samples)
    except TaipanError as error:
        yield f"samples.{estimated[0]}.cross_checks: {error}"
    for name, sample in config.samples.items():
        if sample.estimate is not None:
            yield from sample.estimate.check(f"samples.{name}.estimate", config)
        methods = {f"cross_checks.{other}": item for other, item in sample.cross_checks.items()}
        for key, method in methods.items():
            yield from method.check(f"samples.{name}.{key}", config)
        if sample.estimate is not None:
            methods["estimate"] = sample.estimate
        for key, method in methods.items():
            for part, quantity in method.quantities.items():
                yield from check_measured(f"samples.{name}.{key}.{part}", quantity, analysis)


def _check_features(config: Config, analysis: Analysis) -> Problems:
    yield from _duplicates("features", config.features)
    for i, name in enumerate(config.features):
        yield from check_quantity(f"features[{i}]", name, analysis)


def _list_scores(config: Config) -> list[str]:
    """List the scores of networks and classes, whether there are such networks or not."""
    return list(dict.fromkeys([SCORE, *list_scores(config).values(), *score_names(config)]))


def _check_observables(config: Config, analysis: Analysis) -> Problems:
    sections: Mapping[str, Mapping[str, Observable]] = {
        "observables": config.observables,
        "control_plots": config.control_plots,
    }
    scores = _list_scores(config)
    for section, observables in sections.items():
        for name, observable in observables.items():
            path = f"{section}.{name}"
            source = observable.quantity or name
            if source not in scores and source not in analysis.late:
                where = path if observable.quantity is None else f"{path}.quantity"
                yield from check_quantity(where, source, analysis, [*scores, *analysis.late])
            quantity = analysis.quantities.get(source)
            if section == "observables" and quantity is not None and quantity.may_be_missing:
                yield (
                    f"{path}: '{source}' is missing for some events, which a fit would count in "
                    "its last bin; only control_plots may have it"
                )
            if source == SCORE and not config.features:
                yield f"{path}: without `features` there is no network to give it"
            known = source in scores
            yield from check_edges(f"{path}.binning", observable.binning, is_score=known)


def check_access(config: Config, *, writes: bool) -> Problems:
    """Check that results can be read and, if asked for, written."""
    existing = existing_part(Path(os.path.realpath(config.results)))
    if not existing.is_dir():
        return  # reported with the name
    if writes and not os.access(existing, os.W_OK | os.X_OK):
        yield f"results: '{config.results}' cannot be written: {existing} is not writable"
        return
    for folder in (existing, *_folders(existing / config.analysis)):
        if not os.access(folder, os.R_OK | os.X_OK):
            yield f"results: '{config.results}' cannot be read: {folder} is not readable"
            return


def _folders(folder: Path) -> list[Path]:
    """Give a folder and those directly in it; none if it is not there."""
    if not os.path.isdir(folder):
        return []
    if not os.access(folder, os.R_OK | os.X_OK):
        return [folder]
    return [folder, *(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())]


def _duplicates(path: str, names: Sequence[str]) -> Problems:
    for i, name in enumerate(names):
        if name in names[:i]:
            yield f"{path}[{i}]: '{name}' is a duplicate of {path}[{names.index(name)}]"


def _shared(first: str, second: str) -> bool:
    """Tell whether two cuts leave a common range open; where that is unknown, events will tell."""
    try:
        return certainly_shared(parse_expression(first), parse_expression(second))
    except TaipanError:
        return False  # reported where the expression stands


def _disjoint(first: str, second: str) -> bool:
    parsed: list[Expression] = []
    for text in (first, second):
        try:
            parsed.append(parse_expression(text))
        except TaipanError:
            return True  # reported where the expression stands
    return provably_disjoint(*parsed)
