"""Random generators derived by name from one seed."""

from __future__ import annotations

import hashlib

import numpy as np


def generator_for(seed: int, *names: str | int) -> np.random.Generator:
    """Make the random generator that belongs to a seed and a path of names.

    The names enter through SHA-256, so the streams of two datasets or two batches are independent
    and adding a dataset leaves the others as they are.

    Parameters
    ----------
    seed : int
        The seed of the configuration, not negative.
    *names : str or int
        For instance the dataset and the index of the batch.

    Returns
    -------
    numpy.random.Generator
        A PCG64 generator.
    """
    digest = hashlib.sha256("/".join(str(name) for name in names).encode()).digest()
    words = np.frombuffer(digest, dtype=np.uint32)
    sequence = np.random.SeedSequence([seed, *(int(word) for word in words)])
    return np.random.Generator(np.random.PCG64(sequence))
