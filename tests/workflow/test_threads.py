"""BLAS, OpenMP, TensorFlow with XLA, and ONNX Runtime use the cores of the job, no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

SNAKEFILE = """
rule all:
    input: "1.json", "2.json"

rule count:
    output: "{n}.json"
    threads: lambda wc: int(wc.n)
    script: "count.py"
"""
SCRIPT = """
import json, os, threading
import numpy as np
import threadpoolctl

from taipan.nn.engine import prepare_tensorflow

prepare_tensorflow(snakemake.threads)
import tensorflow as tf

np.ones((4, 4)) @ np.ones((4, 4))
compiled = tf.function(lambda x: tf.reduce_sum(x @ x), jit_compile=True)
compiled(tf.ones((512, 512)))
found = {
    "blas": max(pool["num_threads"] for pool in threadpoolctl.threadpool_info()),
    "omp": int(os.environ["OMP_NUM_THREADS"]),
    "tensorflow": [
        tf.config.threading.get_intra_op_parallelism_threads(),
        tf.config.threading.get_inter_op_parallelism_threads(),
    ],
}
json.dump(found, open(snakemake.output[0], "w"))
"""


def test_threads_follow_the_job(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    (tmp_path / "count.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2"],
        cwd=tmp_path, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for threads in (1, 2):
        found = json.loads((tmp_path / f"{threads}.json").read_text(encoding="utf-8"))
        assert found == {"blas": threads, "omp": threads, "tensorflow": [1, threads]}
