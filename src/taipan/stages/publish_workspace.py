"""Copy the main workspace to where readers look for it."""

from __future__ import annotations

from pathlib import Path

from taipan.atomic import write_text


def publish_workspace(workspace: str, published: str) -> None:
    """Copy a file, to the byte.

    Parameters
    ----------
    workspace
        File to copy.
    published
        File to write.
    """
    write_text(published, Path(workspace).read_text(encoding="utf-8"))


if __name__ == "__main__":
    from taipan.jobs.command import run_by_hand

    run_by_hand(publish_workspace)
