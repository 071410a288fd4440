"""Snakemake with HTCondor's own bindings, whose scheduler is the stand-in of ``condor.py``.

    python snakemake_on_condor.py FOLDER NAME ...

FOLDER is that of the pool and NAME the job that is held once ("" for none); further words go to
Snakemake.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import htcondor2
from htcondor2 import Submit, SubmitResult
from snakemake.cli import main

sys.path.insert(0, str(Path(__file__).parent))

from condor import Pool


def use_pool(pool: Pool) -> None:
    """Let the plugin find the pool where it looks for a scheduler."""

    class Schedd:
        """What the plugin asks of a scheduler."""

        def submit(self, description: Submit) -> SubmitResult:
            content = {key: description[key] for key in description}
            return SubmitResult(pool.submit(content), 0, 1, None, None)

        def act(self, *_: Any) -> None:
            pool.remove()

    htcondor2.Schedd = Schedd


if __name__ == "__main__":
    folder, name = sys.argv[1:3]
    del sys.argv[1:3]
    use_pool(Pool(Path(folder), too_little=name))
    main()
