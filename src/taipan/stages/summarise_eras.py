"""The results of all eras, together and of each, for programs and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from taipan.atomic import read_json, write_json, write_text

COMBINED = "combined"
"""Name of the result of all eras."""


def summarise_eras(
    results: Mapping[str, Sequence[str]],
    record: str,
    title: str,
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
    title
        Title of the analysis.
    summary, text
        Files to write.
    """
    fits = {name: read_json(paths[0]) for name, paths in results.items()}
    built = read_json(record)
    main = fits[COMBINED]
    content = {
        "title": title,
        "observable": main["observable"],
        "poi": main["poi"],
        "blinded": main["blinded"],
        "eras": {name: _shorten(fit) for name, fit in fits.items() if name != COMBINED},
        COMBINED: _shorten(main),
        "correlated": built["correlated"],
        "warnings": built["warnings"],
    }
    write_json(summary, content)
    write_text(text, _describe(content))


def _shorten(fit: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("mu_hat", "sigma", "interval", "significance", "limit")
    return {
        title: None if fit[title] is None else {key: fit[title][key] for key in keys}
        for title in ("expected", "observed")
    }


def _describe(content: Mapping[str, Any]) -> str:
    rows = []
    for name, item in {**content["eras"], COMBINED: content[COMBINED]}.items():
        cells = [name]
        for title in ("expected", "observed"):
            found = item[title]
            cells.append(
                "blinded" if found is None else f"{found['mu_hat']:.4g} ± {found['sigma']:.2g}"
            )
        rows.append(cells)
    table = tabulate(rows, ["era", "expected", "observed"], tablefmt="github")
    names = ", ".join(content["correlated"]) or "none but the parameter of interest"
    lines = [
        f"# {content['title']}",
        "",
        f"{content['poi']} of {len(content['eras'])} eras, each with its own events and "
        "calibration, from one workspace.",
        "",
        table,
        "",
        f"Parameters that eras share: {names}.",
        *(f"\nWarning: {line}" for line in content["warnings"]),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(summarise_eras)
