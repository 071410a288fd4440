"""Download one file of the dataset catalogue."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taipan.remote.fetch import RECEIPT, Expected, fetch_file
from taipan.remote.mirrors import Patience
from taipan.scripting import run_script

if TYPE_CHECKING:
    snakemake: Any


def fetch(remote: dict[str, Any], expected: dict[str, Any], receipt: str) -> None:
    """Fetch the file of a `receipt` from the mirrors; it must be as `expected`."""
    target, patience = Path(receipt.removesuffix(RECEIPT)), Patience.from_config(remote)
    fetch_file(target, remote["mirrors"], Expected(**expected), patience)


if __name__ == "__main__":
    # from where and how patiently a file is fetched does not change it: no parameters
    run_script(
        fetch,
        remote=snakemake.config["remote"],
        expected=snakemake.params.expected,
        receipt=snakemake.output.receipt,
        log=snakemake.log[0],
    )
