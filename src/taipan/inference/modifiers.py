"""The numbers of a workspace, modifier by modifier, as the arrays that yields are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from taipan.inference.copies import find_copies
from taipan.inference.errors import FitError
from taipan.inference.histfactory import Yields
from taipan.inference.interpolation import NORM_CODES, SHAPE_CODES, norm_code, shape_code

# modifiers that multiply all bins of a sample by one parameter, and those with one per bin
_SCALES = ("normfactor", "lumi")
_PER_BIN = ("staterror", "shapesys", "shapefactor")
SUPPORTED = (*_SCALES, *_PER_BIN, "normsys", "histosys")


class _Builder:
    """Collects the entries of a workspace and the modifiers that act on each."""

    def __init__(self, copies: Mapping[str, str]) -> None:
        self.copies = copies
        self.nominal: list[float] = []
        self.place: list[tuple[int, int]] = []
        self.shapes: dict[int, list[tuple[int, float, float]]] = {}
        self.norms: list[tuple[int, float, float, range]] = []
        self.direct: list[list[int]] = []

    def add(self, row: int, first_bin: int, sample: Mapping[str, Any], config: Any) -> None:
        """Add one sample of one channel."""
        start, size = len(self.nominal), len(sample["data"])
        entries = range(start, start + size)
        self.nominal += [float(value) for value in sample["data"]]
        self.place += [(row, first_bin + i) for i in range(size)]
        self.direct += [[] for _ in range(size)]
        for modifier in sample["modifiers"]:
            kind, name, data = modifier["type"], modifier["name"], modifier["data"]
            if kind not in SUPPORTED:
                raise FitError(f"modifier {name}: type {kind!r} is not one of {SUPPORTED}")
            first = config.par_slice(self.copies.get(name, name)).start
            if kind == "normsys":
                if min(data["hi"], data["lo"]) <= 0.0:
                    raise FitError(
                        f"modifier {name}, sample {sample['name']}: normsys factors "
                        f"{data['hi']:g}, {data['lo']:g} must be positive"
                    )
                self.norms.append((first, data["hi"], data["lo"], entries))
            elif kind == "histosys":
                for i, high, low in zip(entries, data["hi_data"], data["lo_data"], strict=True):
                    nominal = self.nominal[i]
                    self.shapes.setdefault(first, []).append((i, high - nominal, low - nominal))
            else:
                for i, entry in enumerate(entries):
                    self.direct[entry].append(first + (i if kind in _PER_BIN else 0))

    def build(self, n_samples: int, n_bins: int, config: Any, codes: Mapping[str, str]) -> Yields:
        """Put the numbers into arrays, entries sorted by bin."""
        place = np.asarray(self.place, dtype=np.intp).reshape(-1, 2)
        order = np.argsort(place[:, 1], kind="stable")
        size = len(order)
        alphas = np.unique([*self.shapes, *(first for first, *_ in self.norms)]).astype(np.intp)
        directs = np.unique([i for found in self.direct for i in found]).astype(np.intp)
        up, down = np.zeros((2, len(self.shapes), size))
        for row, changes in enumerate(self.shapes.values()):
            for i, high, low in changes:
                up[row, i], down[row, i] = high, low
        norm_at = np.full((len(alphas), size), len(self.norms), dtype=np.intp)
        for k, (first, _, _, entries) in enumerate(self.norms):
            norm_at[np.searchsorted(alphas, first), entries.start : entries.stop] = k
        layers = np.full((max(map(len, self.direct), default=0), size), len(directs), dtype=np.intp)
        for entry, found in enumerate(self.direct):
            layers[: len(found), entry] = np.searchsorted(directs, found)
        bins = place[order, 1]
        return Yields(
            nominal=np.asarray(self.nominal)[order],
            sample=place[order, 0],
            bins=bins,
            starts=np.flatnonzero(np.diff(bins, prepend=-1)),
            shape=(n_samples, n_bins, config.npars),
            alphas=alphas,
            directs=directs,
            shape_rows=np.searchsorted(alphas, list(self.shapes)).astype(np.intp),
            shape_up=up[:, order],
            shape_down=down[:, order],
            norm_rows=np.searchsorted(alphas, [n[0] for n in self.norms]).astype(np.intp),
            norm_at=norm_at[:, order],
            layers=layers[:, order],
            _norm=norm_code(
                codes["normsys"],
                np.asarray([n[1] for n in self.norms], dtype=np.float64),
                np.asarray([n[2] for n in self.norms], dtype=np.float64),
            ),
            _shape=shape_code(codes["histosys"]),
        )


def read_yields(
    workspace: Mapping[str, Any], config: Any, codes: Mapping[str, str] | None = None
) -> Yields:
    """Collect the numbers of a workspace.

    Parameters
    ----------
    workspace
        pyhf workspace.
    config
        ``config`` of its pyhf model: order of samples, bins and parameters.
    codes
        Interpolation codes of ``normsys`` and ``histosys``; pyhf's defaults if absent.

    Returns
    -------
    yields
        The numbers.

    Raises
    ------
    FitError
        If a modifier is of a kind that is not supported, or cannot be interpolated.
    """
    builder = _Builder(find_copies(workspace))
    samples: Sequence[str] = config.samples
    for channel in workspace["channels"]:
        first_bin = config.channel_slices[channel["name"]].start
        for sample in channel["samples"]:
            builder.add(samples.index(sample["name"]), first_bin, sample, config)
    defaults = {"normsys": NORM_CODES[0], "histosys": SHAPE_CODES[0]}
    return builder.build(len(samples), config.nmaindata, config, {**defaults, **(codes or {})})
