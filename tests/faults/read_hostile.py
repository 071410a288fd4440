"""Reads files in a process of little memory and says how each ended: `KIND FOLDER FILE...`."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taipan.errors import TaipanError

MEMORY = 6 * 1024**3  # address space; libraries and their threads have 2 to 3 GiB of it
SECONDS = 60  # processor time of a file


def read_root(path: Path, folder: Path) -> None:
    from taipan.skim.run import Chunk, skim_chunk
    from tests.conftest import skim_settings
    from tests.htautau import ANALYSIS

    out = folder / "events.parquet"
    settings = skim_settings("DYJetsToLL")
    skim_chunk(Chunk(path), ANALYSIS, settings, out, folder / "cutflow.json", {})


def read_parquet(path: Path, folder: Path) -> None:
    from taipan.skim.storage import read_events
    from tests.htautau import ANALYSIS

    read_events([path], ANALYSIS.columns)


def read_histograms(path: Path, folder: Path) -> None:
    from taipan.templates.store import read_histograms

    read_histograms(path)


def read_json(path: Path, folder: Path) -> None:
    from taipan.atomic import read_json

    read_json(path)


def read_workspace(path: Path, folder: Path) -> None:
    from taipan.atomic import read_json
    from taipan.inference import compile_model

    compile_model(read_json(path))


def read_onnx(path: Path, folder: Path) -> None:
    import numpy as np

    from taipan.nn.scorer import FoldScorer

    scorer = FoldScorer([path], ("a", "b", "c"))
    scorer.score_with(0, np.ones((4, 3), np.float32))


def read_corrections(path: Path, folder: Path) -> None:
    from taipan.config.sections.weights import Weight
    from taipan.events.corrections import read_correction

    read_correction("w", Weight(file=str(path)), ("pt",))


def read_yaml(path: Path, folder: Path) -> None:
    from taipan.config.load import read_yaml

    read_yaml(path)


def read_lumi_mask(path: Path, folder: Path) -> None:
    from taipan.skim.lumi_mask import read_lumi_mask as read

    read(str(path))


READERS: dict[str, Callable[[Path, Path], None]] = {
    "root": read_root,
    "parquet": read_parquet,
    "histograms": read_histograms,
    "json": read_json,
    "workspace": read_workspace,
    "onnx": read_onnx,
    "corrections": read_corrections,
    "yaml": read_yaml,
    "lumi_mask": read_lumi_mask,
}


def limit_time() -> None:
    """Let this process use `SECONDS` more of processor time; the kernel ends it then."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1 + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def read_all(kind: str, folder: Path, names: list[str]) -> dict[str, Any]:
    """How each file ended: `read`, or the type of the error and its message."""
    outcomes: dict[str, str] = {}
    for name in names:
        print(
            name, file=sys.stderr, flush=True
        )  # the last one said is that which ended the process
        limit_time()
        try:
            READERS[kind](folder / name, folder)
        except TaipanError as error:
            outcomes[name] = f"refused: {error}"
        except Exception as error:
            outcomes[name] = f"{type(error).__name__}: {error}"
        else:
            outcomes[name] = "read"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"outcomes": outcomes, "peak_mib": peak}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    json.dump(read_all(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]), sys.stdout)
