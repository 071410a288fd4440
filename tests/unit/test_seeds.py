"""Seeds of parts of a run."""

from __future__ import annotations

import hashlib

from taipan.seeds import derive_seed


def test_seed_of_a_use_is_a_hash_of_the_run_and_its_names() -> None:
    digest = hashlib.sha256(b"7/train/3").digest()
    expected = (digest[0] + 256 * digest[1] + 256**2 * digest[2] + 256**3 * digest[3]) // 2
    assert derive_seed(7, "train", 3) == expected


def test_every_run_and_every_use_has_its_own_seed() -> None:
    uses: list[tuple[str | int, ...]] = [("train",), ("tune",), ("train", 1), ("train", 2), (1,)]
    seeds = {derive_seed(run, *names) for run in range(20) for names in uses}
    assert len(seeds) == 100
    assert all(0 <= seed < 2**31 for seed in seeds)
