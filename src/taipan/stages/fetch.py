"""Download one file of the dataset catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taipan.remote.archive import fetch_member
from taipan.remote.fetch import RECEIPT, Expected, fetch_file
from taipan.remote.mirrors import Patience


def fetch(
    remote: dict[str, Any], expected: dict[str, Any], receipt: str, archive: str | None = None
) -> None:
    """Fetch the file of a `receipt` from the mirrors; it must be as `expected`.

    Parameters
    ----------
    remote
        Section `remote`, with the mirrors.
    expected
        Size and checksums that the file must have.
    receipt
        File to write beside the download, which has the same name without the ending.
    archive
        Archive on the mirrors that holds the file, None if it lies there itself.
    """
    target, patience = Path(receipt.removesuffix(RECEIPT)), Patience.from_config(remote)
    mirrors, wanted = remote["mirrors"], Expected(**expected)
    if archive is None:
        fetch_file(target, mirrors, wanted, patience)
    else:
        fetch_member(target, archive, mirrors, wanted, patience)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(fetch)
