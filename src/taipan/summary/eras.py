"""The summary of several data-taking periods: each, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taipan.clean_text import escape_markdown
from taipan.summary.collect import hash_result
from taipan.summary.cross_sections import describe_cross_section
from taipan.summary.layout import format_measurement, format_table, plain_label
from taipan.summary.words import MIN_DECIMALS, write_measured, write_unit

ALL_ERAS = "combined"
"""Name of the result of all eras."""
_KINDS = ("expected", "observed")
_KEYS = ("mu_hat", "sigma", "interval", "significance", "limit")


def summarise_eras(
    fits: Mapping[str, Mapping[str, Any]],
    record: Mapping[str, Any],
    identity: Mapping[str, Any],
    cross_section: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Put the results of all eras together.

    Parameters
    ----------
    fits
        Era, or ``combined`` → results of :func:`taipan.inference.run_inference`.
    record
        Record of the combined workspace (:func:`taipan.inference.eras.combine_eras`).
    identity
        What was run: ``analysis``, ``title``, ``luminosity`` of each era in fb⁻¹ and
        ``provenance``.
    cross_section
        ``value`` and ``unit`` of what a strength of 1 stands for; None if nothing says so.

    Returns
    -------
    dict
        Content of ``summary.json``; the keys are described in ``docs/eras.md``.
    """
    main = fits[ALL_ERAS]
    eras = {name: _shorten(fit, cross_section) for name, fit in fits.items() if name != ALL_ERAS}
    content: dict[str, Any] = {
        **identity,
        "observable": main["observable"],
        "poi": main["poi"],
        "blinded": main["blinded"],
        **({"interests": main["interests"]} if "interests" in main else {}),
        "eras": eras,
        ALL_ERAS: _shorten(main, cross_section),
        "correlated": record["correlated"],
        "warnings": record["warnings"],
    }
    return {**content, "result_sha256": hash_result(content)}


def _shorten(
    fit: Mapping[str, Any], cross_section: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {kind: fit[kind] and _select(fit[kind]) for kind in _KINDS}
    if "others" in fit:
        found["others"] = {
            name: {kind: item[kind] and _select(item[kind]) for kind in _KINDS}
            for name, item in fit["others"].items()
        }
    if cross_section is not None:
        found["cross_section"] = describe_cross_section(
            cross_section["value"], cross_section["unit"], fit
        )
    return found


def _select(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in _KEYS}


def eras_to_markdown(summary: Mapping[str, Any]) -> str:
    """Write the summary of several eras for people.

    Parameters
    ----------
    summary
        Of :func:`summarise_eras`.
    """
    shared = ", ".join(summary["correlated"]) or "none but the parameter of interest"
    pois = [summary["poi"], *summary[ALL_ERAS].get("others", {})]
    luminosities = ", ".join(f"{size:g} ({era})" for era, size in summary["luminosity"].items())
    parts = [
        f"# {escape_markdown(plain_label(summary['title']))}",
        f"{', '.join(pois)} of {len(summary['eras'])} eras, each with its own events and "
        "calibration, from one workspace.",
        f"Luminosity in fb⁻¹: {luminosities}.",
    ]
    for name in pois:
        unit = write_unit(summary, name).strip()
        least = 0 if unit else MIN_DECIMALS
        parts.append(f"## {name} ({unit})" if unit else f"## {name}")
        parts.append(_table(summary, name, least))
    if "cross_section" in summary[ALL_ERAS]:
        found = summary[ALL_ERAS]["cross_section"]
        unit = escape_markdown(found["unit"])
        parts += ["## Cross section", f"In {unit}; predicted: {found['predicted']:g}."]
        parts.append(_cross_sections(summary))
    parts.append(f"Parameters that eras share: {shared}.")
    parts += [f"Warning: {escape_markdown(line)}" for line in summary["warnings"]]
    parts.append(f"Hash of the result: `{summary['result_sha256']}`")
    return "\n\n".join(parts) + "\n"


def _results(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {**summary["eras"], ALL_ERAS: summary[ALL_ERAS]}


def _table(summary: Mapping[str, Any], poi: str, least: int) -> str:
    rows = []
    for era, item in _results(summary).items():
        found = item if poi == summary["poi"] else item["others"][poi]
        cells = [found[kind] and write_measured(found[kind], least) for kind in _KINDS]
        rows.append([era, *(cell or "blinded" for cell in cells)])
    return format_table(["era", *_KINDS], rows)


def _cross_sections(summary: Mapping[str, Any]) -> str:
    rows = []
    for era, item in _results(summary).items():
        found = [item["cross_section"][kind] for kind in _KINDS]
        cells = [one and format_measurement(one["value"], one["sigma"]) for one in found]
        rows.append([era, *(cell or "blinded" for cell in cells)])
    return format_table(["era", *_KINDS], rows)
