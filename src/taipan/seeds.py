"""Child seeds: one seed in the configuration, a different one for every named use."""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *names: str | int) -> int:
    """Derive a seed from the run's seed and the names of its use.

    Parameters
    ----------
    seed
        The run's seed.
    names
        What it is for, for instance ``"train", 3``.

    Returns
    -------
    int
        In [0, 2³¹): small enough for every library.
    """
    text = "/".join(str(item) for item in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little") >> 1
