"""Checks of the section `corrections`."""

from __future__ import annotations

from collections.abc import Iterator

from taipan.analysis import Analysis
from taipan.columns.expressions import parse_expression, provably_disjoint
from taipan.config.model import Config
from taipan.corrections.base import InputNames, NominalCorrection
from taipan.errors import TaipanError
from taipan.systematics.base import check_names


def check_corrections(config: Config, analysis: Analysis) -> Iterator[str]:
    """Yield one line a problem of the section `corrections`; reads its files."""
    known = known_inputs(analysis)
    for name, correction in config.corrections.items():
        key = f"corrections.{name}"
        yield from _check_places(key, correction, config)
        yield from _check_scores(key, correction, config, analysis)
        yield from correction.check(key, config)
        if correction.of_objects:
            yield from _check_envelope(key, correction, config, analysis)
        for file_key, path in correction.files.items():
            if not path:
                yield f"{key}.{file_key}: empty; the path of a file is needed"
        try:
            correction.open(key, known)
        except TaipanError as error:
            yield str(error)


def known_inputs(analysis: Analysis) -> InputNames:
    """List what inputs may be made of: quantities whose columns the skim stores."""
    columns = {column.name for column in analysis.columns}
    computable = {
        name: item
        for name, item in analysis.quantities.items()
        if columns.issuperset(item.requires) and not analysis.is_late(name)
    }
    return InputNames(computable, analysis.objects)


def _check_places(key: str, correction: NominalCorrection, config: Config) -> Iterator[str]:
    """Refuse samples and regions that there are not, and regions that share events with others."""
    if correction.samples is not None:
        simulated = [name for name, item in config.samples.items() if item.is_simulated]
        yield from check_names(f"{key}.samples", "simulated sample", correction.samples, simulated)
        if not correction.samples:
            yield f"{key}.samples: an empty list corrects nothing; leave it out for all samples"
    if correction.regions is None:
        return
    yield from check_names(f"{key}.regions", "region", correction.regions, [*config.regions])
    if not correction.regions:
        yield f"{key}.regions: an empty list corrects nothing; leave it out for all regions"
    for inside in correction.regions:
        for other in config.regions:
            known = inside in config.regions and other not in correction.regions
            if known and not _are_disjoint(config, inside, other):
                yield (
                    f"{key}.regions: '{inside}' is not shown to be disjoint from '{other}', in "
                    "which an event would have another weight (list both, or confine one term of "
                    "their cuts to ranges without overlap)"
                )


def _check_scores(
    key: str, correction: NominalCorrection, config: Config, analysis: Analysis
) -> Iterator[str]:
    """Refuse a region that scores decide: networks are trained on corrected events."""
    for name in correction.regions or ():
        try:
            used = (
                parse_expression(config.regions[name].cut).names if name in config.regions else ()
            )
        except TaipanError:
            continue  # reported where the expression stands
        late = [item for item in used if analysis.is_late(item)]
        if late:
            yield (
                f"{key}.regions: '{name}' asks for '{late[0]}', which networks give that are "
                "trained on corrected events (regions of other quantities)"
            )


def _are_disjoint(config: Config, first: str, second: str) -> bool:
    try:
        cuts = [parse_expression(config.regions[name].cut) for name in (first, second)]
    except TaipanError:
        return True  # reported where the expression stands
    return provably_disjoint(*cuts)


def _check_envelope(
    key: str, correction: NominalCorrection, config: Config, analysis: Analysis
) -> Iterator[str]:
    """Refuse to raise energies where the skim keeps no objects from below the thresholds."""
    collection = str(getattr(correction, "objects", ""))
    if analysis.objects is None or collection not in analysis.objects.selectors:
        return  # reported when it is opened
    threshold = analysis.objects.loosened.get(collection)
    if threshold is None:
        yield (
            f"{key}.objects: '{collection}' has no energy scale in the selection, so that the skim "
            "keeps no softer objects that it lifts above a threshold (declare one: "
            f"@selection.objects('{collection}', shifts={{'{collection.lower()}_pt': scale()}}))"
        )
    elif not config.skim.envelope.get(threshold):
        yield (
            f"skim.envelope.{threshold}: missing; corrections.{key.partition('.')[2]} lifts "
            "objects above thresholds, so say how far the skim loosens them (the largest relative "
            "change)"
        )
