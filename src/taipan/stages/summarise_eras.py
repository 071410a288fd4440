"""The results of all eras, together and of each, for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taipan.atomic import read_json, write_json, write_text
from taipan.provenance import package_versions
from taipan.summary.eras import eras_to_markdown
from taipan.summary.eras import summarise_eras as summarise


def summarise_eras(
    results: Mapping[str, Sequence[str]],
    record: str,
    identity: dict[str, Any],
    cross_section: dict[str, Any] | None,
    summary: str,
    text: str,
) -> None:
    """Write ``summary.json`` and ``summary.md``.

    Parameters
    ----------
    results
        Era, or ``combined`` → JSON file of its fit.
    record
        JSON file of the combined workspace's record.
    identity
        Analysis and title, luminosity of each era in fb⁻¹, and hashes of configuration, catalogue
        and code (``provenance``).
    cross_section
        ``value`` and ``unit`` of what a strength of 1 stands for, if something says so.
    summary, text
        Files to write.
    """
    known = {**identity["provenance"], "packages": package_versions()}
    content = summarise(
        {name: read_json(paths[0]) for name, paths in results.items()},
        read_json(record),
        {**identity, "provenance": known},
        cross_section,
    )
    write_json(summary, content)
    write_text(text, eras_to_markdown(content))


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(summarise_eras)
