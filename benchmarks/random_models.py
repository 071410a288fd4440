"""Significance and limit of many random models against MINUIT.

    python benchmarks/random_models.py [MODELS]

Each model has a few bins and samples, with samples that are zero in some bins, negative templates,
variations that lie on the same side of nominal, few events and bins without data
(``tests/random_models.py``). The reference is a likelihood written from the description of
HistFactory, minimised by MINUIT from several starts (``tests/histfactory_oracle.py``). A model must
agree to 10⁻³, or be refused with a message.
"""

from __future__ import annotations

import collections
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from tests.random_models import make_random_workspace
from tests.unit.test_random_models import check_background_is_impossible, check_model

from taipan.inference import FitError

PER_JOB = 50


def compare(job):
    logging.disable(logging.CRITICAL)
    rng = np.random.default_rng([11, job])
    found = collections.Counter()
    for _ in range(PER_JOB):
        workspace = make_random_workspace(rng)
        try:
            check_model(workspace, rng)
            found["agree"] += 1
        except FitError as error:
            if str(error).endswith("so it is infinite"):
                check_background_is_impossible(workspace, rng)
                found["no likelihood without signal"] += 1
            else:
                found[_kind(str(error))] += 1
        except AssertionError as error:
            found["DISAGREE"] += 1
            print(f"stream [11, {job}]: {error}", file=sys.stderr, flush=True)
    return found


def _kind(message):
    for part in ("does not reach", "no minimum", "starts disagree", "equally deep", "lower at"):
        if part in message:
            return f"refused: {part}"
    return f"refused: {message}"


if __name__ == "__main__":
    models = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    total = collections.Counter()
    with ProcessPoolExecutor(2) as pool:
        for counter in pool.map(compare, range(models // PER_JOB)):
            total += counter
            print(f"{total.total()} of {models}: {dict(total)}", file=sys.stderr, flush=True)
    for kind, number in total.most_common():
        print(f"{number:6d}  {kind}")
