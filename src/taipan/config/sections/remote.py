"""Keys of files that lie elsewhere: `remote`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from taipan.config.base import NonNegative, Positive, Strict, Url


class Remote(Strict):
    """Files that lie elsewhere: how they are read, and how long that is tried."""

    access: Literal["local", "fetch", "stream"] = Field(
        "local",
        description="`local`: the files are in the folder `files` (or `skims`); `fetch`: they are "
        "downloaded into it first, a job a file; `stream`: the skim reads what it needs from the "
        "mirrors and keeps no copy.",
    )
    mirrors: list[Url] = Field(
        default_factory=list,
        description="Base URLs (http, https, root) that are tried in turn; those of the catalogue "
        "if empty.",
    )
    retries: Annotated[int, Field(ge=0)] = Field(
        5, description="Further rounds over the mirrors after a failure without any progress."
    )
    backoff: NonNegative = Field(
        2.0, description="Pause before the next round in s; doubles each time, at most 300 s."
    )
    timeout: Annotated[float, Field(ge=1.0)] = Field(
        60.0, description="Longest wait for a connection or for the next bytes in s."
    )
    give_up_after: Positive = Field(
        1800.0, description="Time in s after which a transfer fails, whatever its size."
    )
    min_speed: Positive = Field(
        0.1, description="Further time that a transfer may take: its size over this, in MB/s."
    )
    allow_private_redirects: bool = Field(
        False,
        description="Follow a mirror that redirects to a loopback, private or link-local address.",
    )
