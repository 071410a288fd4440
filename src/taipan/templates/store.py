"""Files of named histograms.

A ZIP archive in the UHI serialisation format: one JSON header and NumPy arrays a histogram. The
bytes depend on the content alone (no time stamps), and nothing in it is a pickle.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import hist
import uhi.io.zip

from taipan.atomic import replacing
from taipan.errors import TaipanError
from taipan.limits import refuse_unpacked

_LARGEST_HISTOGRAM = 100_000_000  # bins, with overflows
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a ZIP entry can carry


def write_histograms(path: Path | str, histograms: Mapping[str, hist.Hist]) -> None:
    """Write histograms under their names to one file, atomically and reproducibly.

    Parameters
    ----------
    path
        File to write.
    histograms
        Name → histogram.
    """
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name, histogram in histograms.items():
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                uhi.io.zip.write(archive, name, histogram)
            with zipfile.ZipFile(buffer) as source:
                # uhi writes the arrays in the order of a set, which changes from run to run
                for entry in sorted(source.namelist()):
                    info = zipfile.ZipInfo(entry, _EPOCH)
                    target.writestr(info, source.read(entry), zipfile.ZIP_DEFLATED)


def read_histograms(path: Path | str, content: bytes | None = None) -> dict[str, hist.Hist]:
    """Read every histogram of a file made by :func:`write_histograms`.

    Parameters
    ----------
    path
        File.
    content
        Its content, where that was read before: then `path` is but a name.

    Raises
    ------
    TaipanError
        If the file is missing, truncated or not such an archive; names the file.
    """
    try:
        with zipfile.ZipFile(path if content is None else io.BytesIO(content)) as archive:
            refuse_unpacked(path, archive)
            names = [entry[:-5] for entry in archive.namelist() if entry.endswith(".json")]
            return {name: _read_histogram(archive, name) for name in names}
    except TaipanError:
        raise
    except Exception as error:  # a damaged archive fails in zipfile, a codec, NumPy or uhi
        raise TaipanError(f"{path} is not a readable histogram file: {error}") from error


def _read_histogram(archive: zipfile.ZipFile, name: str) -> hist.Hist:
    content = uhi.io.zip.read(archive, name)
    cells = 1
    for axis in content["axes"]:
        size = axis.get("bins")
        if size is None:
            size = len(axis["edges"] if "edges" in axis else axis.get("categories", "ab"))
        cells *= int(size) + 2  # with both overflows
    if not 0 < cells <= _LARGEST_HISTOGRAM:
        raise TaipanError(f"{name} has {cells} bins, at most {_LARGEST_HISTOGRAM} are read")
    return hist.Hist(content)
