"""Judge the coverage that was measured; the report of it stays whatever the verdict is."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from taipan.atomic import read_json
from taipan.errors import TaipanError

logger = logging.getLogger("taipan.measure_coverage")


def measure_coverage(report: str) -> None:
    """Say how often the intervals hold the truth.

    Parameters
    ----------
    report
        JSON file of the rule ``summarise_coverage``.

    Raises
    ------
    TaipanError
        If that is not as promised within two binomial standard deviations, or if intervals that are
        too short by 30 % would have passed.
    """
    found = read_json(report)
    lines = list(_describe(found, ""))
    for name, other in found.get("others", {}).items():
        lines += _describe(other, f"{name}, ")
    if "joint" in found:
        joint = found["joint"]
        together = {"n": joint["n"], "intervals": [joint]}
        lines += _describe(together, f"{' and '.join(joint['names'])} together, ")
    for line in lines:
        logger.info(line)
    if not found["passed"]:
        raise TaipanError(f"{report}: the intervals do not cover: {'; '.join(lines)}")
    if not found["has_power"]:
        raise TaipanError(f"{report}: {found['n']} pseudo-experiments are too few to tell")


def _describe(found: Mapping[str, Any], name: str) -> Iterator[str]:
    for item in found["intervals"]:
        yield (
            f"{name}{100 * item['level']:.4g} %: found {100 * item['fraction']:.2f} % of "
            f"{found['n']} ({item['deviation']:+.1f} binomial σ)"
        )


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(measure_coverage)
