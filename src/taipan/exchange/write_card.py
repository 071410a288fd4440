"""Writing a datacard of CMS Combine and the ROOT file of its histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taipan.atomic import replacing, write_text
from taipan.exchange.card_part import Part
from taipan.exchange.root_files import write_histograms
from taipan.exchange.translate_workspace import Translation

Array = npt.NDArray[np.float64]

CARD, SHAPES = "datacard.txt", "shapes.root"


def write_card(
    translation: Translation, folder: Path, groups: Mapping[str, Sequence[str]]
) -> tuple[Path, Path]:
    """Write the card and its histograms.

    Parameters
    ----------
    translation
        What to write.
    folder
        Where.
    groups
        Group → parameters of the card.

    Returns
    -------
    tuple of Path
        Card and ROOT file.
    """
    card, shapes = folder / CARD, folder / SHAPES
    with replacing(shapes) as temporary:
        write_histograms(temporary, list_histograms(translation))
    write_text(card, write_lines(translation, groups))
    return card, shapes


def list_histograms(translation: Translation) -> dict[str, tuple[Array, Array]]:
    """Name → contents and errors of all histograms."""
    found: dict[str, tuple[Array, Array]] = {}
    for channel, observed in translation.observed.items():
        found[f"{channel}/data_obs"] = (observed, np.sqrt(observed))
    for part in translation.parts:
        name = f"{part.channel}/{part.process}"
        found[name] = (part.values, part.errors)
        for parameter, (up, down) in part.shapes.items():
            found[f"{name}_{parameter}Up"] = (up, np.zeros_like(up))
            found[f"{name}_{parameter}Down"] = (down, np.zeros_like(down))
    return found


def write_lines(translation: Translation, groups: Mapping[str, Sequence[str]]) -> str:
    """Give the text of the card."""
    parts = translation.parts
    channels = list(translation.observed)
    ids = number_processes(parts)
    lines = [
        f"imax {len(channels)} number of channels",
        f"jmax {len(ids) - 1} number of processes minus 1",
        "kmax * number of uncertainties",
        _RULE,
        f"shapes * * {SHAPES} $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC",
        _RULE,
    ]
    observed = [repr(float(translation.observed[name].sum())) for name in channels]
    lines += _align([["bin", *channels], ["observation", *observed]])
    lines.append(_RULE)
    rows = [
        ["bin", "", *(part.channel for part in parts)],
        ["process", "", *(part.process for part in parts)],
        ["process", "", *(str(ids[part.process]) for part in parts)],
        ["rate", "", *("-1" for _ in parts)],
    ]
    rows += _systematics(parts)
    lines += _align(rows)
    lines.append(_RULE)
    for name, factor in translation.factors.items():
        span = f"[{factor.low!r},{factor.high!r}]"
        lines += [
            f"{name} rateParam {part.channel} {part.process} {factor.start!r} {span}"
            for part in parts
            if name in part.factors
        ]
        if factor.constraint is not None:
            mean, sigma = factor.constraint
            lines.append(f"{name} param {mean!r} {sigma!r}")
    for group, members in groups.items():
        lines.append(f"{group} group = {' '.join(members)}")
    for channel, found in translation.statistics.items():
        lines.append(f"{channel} autoMCStats {found.threshold} {int(found.include_signal)} 1")
    lines += [f"nuisance edit freeze {name}" for name in translation.frozen]
    return "\n".join(lines) + "\n"


_RULE = "-" * 60


def number_processes(parts: Sequence[Part]) -> dict[str, int]:
    """Process → its number: 0 and below for signals, 1 and above for backgrounds."""
    signals = list(dict.fromkeys(part.process for part in parts if part.signal))
    others = list(dict.fromkeys(part.process for part in parts if not part.signal))
    return {name: -i for i, name in enumerate(signals)} | {
        name: i for i, name in enumerate(others, start=1)
    }


def _systematics(parts: Sequence[Part]) -> list[list[str]]:
    rows = []
    for name in dict.fromkeys(n for part in parts for n in (*part.shapes, *part.norms)):
        shaped = any(name in part.shapes for part in parts)
        # a factor that a line 'shape?' cannot hold has a line 'lnN' of the same name
        apart = [
            name in part.norms
            and shaped
            and (name in part.shapes or part.norms[name][0] == part.norms[name][1])
            for part in parts
        ]
        normed = any(name in p.norms and not a for p, a in zip(parts, apart, strict=True))
        kind = "shape?" if shaped and normed else "shape" if shaped else "lnN"
        rows.append([name, kind])
        for part, is_apart in zip(parts, apart, strict=True):
            if name in part.shapes:
                rows[-1].append("1")
            else:
                has = name in part.norms and not is_apart
                rows[-1].append(_factors(part.norms[name]) if has else "-")
        if any(apart):
            rows.append([name, "lnN"])
            rows[-1] += [
                _factors(p.norms[name]) if a else "-" for p, a in zip(parts, apart, strict=True)
            ]
    return rows


def _factors(both: tuple[float, float]) -> str:
    low, high = both
    if low == 1.0 / high:
        return repr(high)
    return f"{low!r}/{high!r}"


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
