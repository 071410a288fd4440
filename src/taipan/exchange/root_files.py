"""Histograms of ROOT files that may come from anywhere: read in bounded memory, or refused."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boost_histogram as bh
import numpy as np
import numpy.typing as npt
import uproot

from taipan.exchange.errors import ExchangeError
from taipan.suggestions import nearest

Array = npt.NDArray[np.float64]

MOST_BINS = 100_000
"""Bins of one histogram; a fit takes far fewer (`inference/size.py`)."""
LARGEST_OBJECT = 64 * 1024**2
"""Bytes that a file may state for one object after decompression: 100,000 bins take 3 MB."""


@dataclass(frozen=True)
class Histogram:
    """A histogram of one dimension, without underflow and overflow.

    Attributes
    ----------
    values, errors
        Contents, and square roots of the sums of squared weights, shape ``(n,)``.
    edges
        Edges of the bins, shape ``(n + 1,)``.
    """

    values: Array
    errors: Array
    edges: Array


class RootFiles:
    """ROOT files that are opened once; use it in a ``with`` statement."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._opened: dict[Path, Any] = {}
        self._names: dict[Path, frozenset[str]] = {}

    def __enter__(self) -> RootFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def names(self, path: Path) -> frozenset[str]:
        """Names of all objects of a file, in folders, too, without cycles.

        Raises
        ------
        ExchangeError
            If the file cannot be opened.
        """
        if path not in self._names:
            try:
                opened = self._stack.enter_context(uproot.open({str(path): None}))
                self._opened[path] = opened
                self._names[path] = frozenset(opened.keys(cycle=False))
            except FileNotFoundError:
                raise ExchangeError(f"{path}: no such file") from None
            except Exception as error:  # uproot raises what it happens to meet in a broken file
                raise ExchangeError(f"{path}: not a ROOT file that can be read") from error
        return self._names[path]

    def read(self, path: Path, name: str, where: str = "") -> Histogram:
        """Read a histogram.

        Parameters
        ----------
        path, name
            File, and name in it.
        where
            What asks for it, such as a line of a card; starts the message of an error.

        Raises
        ------
        ExchangeError
            If there is none of this name, it is no histogram of one dimension, is too large, is
            damaged, or has contents that are not finite.
        """
        prefix = f"{where}: " if where else ""
        names = self.names(path)
        if name not in names:
            raise ExchangeError(f"{prefix}{path} has no {name!r}{nearest(name, sorted(names))}")
        try:
            found = self._read(self._opened[path], name)
        except ExchangeError as error:
            raise ExchangeError(f"{prefix}{path}: {name}: {error}") from None
        except Exception as error:  # uproot raises what it happens to meet in a broken file
            raise ExchangeError(f"{prefix}{path}: {name}: damaged") from error
        return found

    @staticmethod
    def _read(opened: Any, name: str) -> Histogram:
        kind = opened.classname_of(name)
        if not kind.startswith("TH1"):
            raise ExchangeError(f"is a {kind}, not a histogram of one dimension (TH1)")
        size = opened.key(name).data_uncompressed_bytes
        if size > LARGEST_OBJECT:
            raise ExchangeError(
                f"{size // 1024**2} MiB unpacked, at most {LARGEST_OBJECT // 1024**2} MiB are read"
            )
        histogram = opened[name]
        values = np.asarray(histogram.values(), dtype=np.float64)
        variances = np.asarray(histogram.variances(), dtype=np.float64)
        edges = np.asarray(histogram.axis().edges(), dtype=np.float64)
        if not 1 <= len(values) <= MOST_BINS:
            raise ExchangeError(f"{len(values)} bins (1 to {MOST_BINS})")
        if variances.shape != values.shape or edges.shape != (len(values) + 1,):
            raise ExchangeError("contents, errors and edges do not belong together")
        for what, array in (("content", values), ("squared error", variances)):
            if not np.isfinite(array).all():
                bad = int(np.argmin(np.isfinite(array)))
                raise ExchangeError(f"{what} of bin {bad} is {array[bad]}")
        return Histogram(values, np.sqrt(np.maximum(variances, 0.0)), edges)


def write_histograms(path: Path, histograms: Mapping[str, tuple[Array, Array]]) -> None:
    """Write histograms (TH1D with Σw²) of bins of width 1.

    Parameters
    ----------
    path
        ROOT file, replaced.
    histograms
        Name, with folders, → contents and errors, shape ``(n,)``.
    """
    with uproot.recreate(path) as file:
        for name, (values, errors) in histograms.items():
            axis = bh.axis.Regular(len(values), 0.0, float(len(values)))
            histogram = bh.Histogram(axis, storage=bh.storage.Weight())
            view = histogram.view()
            view["value"], view["variance"] = values, np.square(errors)
            file[name] = histogram
