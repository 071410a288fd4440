"""Workspaces of several data-taking periods: what is correlated, and one workspace of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.inference.combine import combine_workspaces
from taipan.inference.errors import FitError
from taipan.inference.read import keep_regions

EraCorrelation = str | Mapping[str, str]
"""Key `eras` of a systematic."""


def correlate_eras(
    workspaces: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, Mapping[str, Any]],
    correlations: Mapping[str, EraCorrelation],
    common: Sequence[str],
) -> dict[str, list[str]]:
    """Say which parameters of the eras are one.

    Parameters
    ----------
    workspaces, records
        Era → pyhf workspace, and how it was built: its parameters know their systematic, however
        it is decorrelated within an era.
    correlations
        Systematic → its key `eras`.
    common
        Further parameters that are the same in all eras, such as free normalisations.

    Returns
    -------
    dict
        Name → members as :func:`~taipan.inference.combine.combine_workspaces` takes them. What is
        not there belongs to one era: statistical parameters, and factors of estimates, which are
        measured in each.
    """
    found: dict[str, list[str]] = {}
    for era, workspace in workspaces.items():
        owners: Mapping[str, str] = records[era]["treatment"]["parameters"]
        for parameter in _parameters(workspace):
            owner = owners.get(parameter, parameter)
            if parameter in common:
                found.setdefault(parameter, []).append(f"{era}:{parameter}")
            elif owner in correlations:
                name = _name_in(era, correlations[owner])
                if name is not None:
                    target = parameter if name == "" else name + parameter.removeprefix(owner)
                    found.setdefault(target, []).append(f"{era}:{parameter}")
    return found


def _name_in(era: str, correlation: EraCorrelation) -> str | None:
    """Name of a systematic's parameter in an era: empty if it keeps its own, None: of the era."""
    if isinstance(correlation, str):
        return "" if correlation == "correlated" else None
    return correlation.get(era)


def _parameters(workspace: Mapping[str, Any]) -> list[str]:
    return list(
        dict.fromkeys(
            modifier["name"]
            for channel in workspace["channels"]
            for sample in channel["samples"]
            for modifier in sample["modifiers"]
        )
    )


def combine_eras(
    workspaces: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, Mapping[str, Any]],
    correlations: Mapping[str, EraCorrelation],
    common: Sequence[str],
    pois: Sequence[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put the workspaces of the eras into one.

    Regions and samples become ``<era>_<name>``. The record says which sample is which, so that
    yields have the names of the analysis.

    Parameters
    ----------
    workspaces, records, correlations, common
        As of :func:`correlate_eras`.
    pois
        Parameters of interest, which are those of all eras; the first is shown first.

    Returns
    -------
    workspace, record
        As :func:`~taipan.inference.result.run_inference` takes them.

    Raises
    ------
    FitError
        If the data of regions are used in some eras and not in others, or a parameter of interest
        is not the same in all: its unit, its size, its prediction.
    """
    blinded = {era: bool(record["blinded"]) for era, record in records.items()}
    if len(set(blinded.values())) > 1:
        hidden = ", ".join(era for era, value in blinded.items() if value)
        raise FitError(
            f"eras: {hidden} {'is' if hidden.count(',') == 0 else 'are'} blinded and others are "
            "not; fit.unblind must be the same in all"
        )
    shared = {key: _read_common(records, key) for key in ("interests", "unfolding")}
    correlated = correlate_eras(workspaces, records, correlations, [*common, *pois[1:]])
    combined = combine_workspaces(workspaces, correlated, poi=pois[0], others=pois[1:])
    auxiliary = [
        f"{era}_{region}" for era, built in records.items() for region in built.get("auxiliary", ())
    ]
    record = {
        "observable": next(iter(records.values()))["observable"],
        "blinded": any(blinded.values()),
        "regions": {
            f"{era}_{region}": item
            for era, built in records.items()
            for region, item in built["regions"].items()
        },
        "warnings": [
            f"{era}: {line}" for era, built in records.items() for line in built["warnings"]
        ],
        "correlated": {
            name: members
            for name, members in correlated.items()
            if len(members) > 1 and name not in pois
        },
        "parts": _name_samples(workspaces, records),
        **({"auxiliary": auxiliary} if auxiliary else {}),
        **{key: value for key, value in shared.items() if value},
    }
    return combined, record


def _read_common(records: Mapping[str, Mapping[str, Any]], key: str) -> Mapping[str, Any]:
    """Give what the records of all eras say of the parameters of interest."""
    first, *others = records
    common: Mapping[str, Any] = records[first].get(key, {})
    for era in others:
        if records[era].get(key, {}) != common:
            raise FitError(
                f"eras: {key} of era {era} are not those of era {first}; a parameter of interest "
                "is the same in all"
            )
    return common


def _name_samples(
    workspaces: Mapping[str, Mapping[str, Any]], records: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Give sample of the combined workspace → sample of the analysis, empty for no yield."""
    return {
        f"{era}_{sample['name']}": records[era].get("parts", {}).get(sample["name"], sample["name"])
        for era, workspace in workspaces.items()
        for channel in workspace["channels"]
        for sample in channel["samples"]
    }


def keep_era(
    workspace: Mapping[str, Any], record: Mapping[str, Any], era: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the regions of one era, with the names of the combined workspace."""
    own = f"{era}_"
    regions = {name: item for name, item in record["regions"].items() if name.startswith(own)}
    auxiliary = [name for name in record.get("auxiliary", ()) if name.startswith(own)]
    kept = keep_regions(
        workspace,
        [c["name"] for c in workspace["channels"] if c["name"] in (*regions, *auxiliary)],
    )
    return kept, {
        **record,
        "regions": regions,
        **({"auxiliary": auxiliary} if auxiliary else {}),
    }
