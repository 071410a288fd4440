"""Download one file of the dataset catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taipan.remote.fetch import RECEIPT, Expected, fetch_file
from taipan.remote.mirrors import Patience


def fetch(remote: dict[str, Any], expected: dict[str, Any], receipt: str) -> None:
    """Fetch the file of a `receipt` from the mirrors; it must be as `expected`.

    Parameters
    ----------
    remote
        Section `remote`, with the mirrors.
    expected
        Size and checksums that the file must have.
    receipt
        File to write beside the download, which has the same name without the ending.
    """
    target, patience = Path(receipt.removesuffix(RECEIPT)), Patience.from_config(remote)
    fetch_file(target, remote["mirrors"], Expected(**expected), patience)


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(fetch)
