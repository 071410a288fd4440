"""A line of the certificate, and the verdict of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["passed", "failed", "noted", "not measured"]


@dataclass(frozen=True)
class Line:
    """A line of the certificate.

    Attributes
    ----------
    name
        What was checked.
    figure, bound
        What was found and what is allowed, in words and numbers; empty if nothing was measured.
    verdict
        ``failed`` makes the certificate red. ``noted`` is what a reader must know and decide.
    link
        File that the figure was read from, or the page that says how to make it.
    reason
        A sentence; empty if the figure says all.
    """

    name: str
    figure: str
    bound: str
    verdict: Verdict
    link: str
    reason: str = ""


def judge(name: str, figure: str, bound: str, *, passed: bool, link: str, reason: str = "") -> Line:
    """Make a line that passed or failed; `reason` is said only of one that failed."""
    return Line(
        name, figure, bound, "passed" if passed else "failed", link, "" if passed else reason
    )


def lack(name: str, link: str, reason: str) -> Line:
    """Make a line of what was not measured."""
    return Line(name, "", "", "not measured", link, reason)


def is_red(lines: Iterable[Line]) -> bool:
    """Whether a line failed."""
    return any(line.verdict == "failed" for line in lines)
