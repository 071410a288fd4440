"""The smoke configuration without a shared file system, against a local run of the same.

    pip install "moto[server]" snakemake-storage-plugin-s3
    python benchmarks/object_storage.py [RESULTS/ANALYSIS] [--until RULE]

Starts a server of the S3 protocol on 127.0.0.1, runs the smoke configuration with every file in a
bucket, and compares what is there with the folder of a finished local run of it, to the byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[1]
SMOKE = "config/examples/smoke.yaml"
COMPARED = (
    *("templates/templates.zip", "workspaces/nn_score.json", "fit/nn_score.json"),
    *("fit/m_vis.json", "models/fold0.onnx", "yields.csv", "plots/pulls_nn_score.json"),
)
KEY = "local"


def run(folder: Path, url: str, until: str | None) -> float:
    """Run the workflow in a folder with storage at `url`; wall time in s."""
    for part in ("Snakefile", "config", "envs", "profiles", "scripts", "workflow"):
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / part)
    keys = {f"SNAKEMAKE_STORAGE_S3_{name}_KEY": KEY for name in ("ACCESS", "SECRET")}
    start = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", SMOKE),
            *(("--until", until) if until else ()),
            *("--default-storage-provider", "s3"),
            *("--default-storage-prefix", "s3://taipan/run", "--storage-s3-endpoint-url", url),
            *("--shared-fs-usage", "none"),
        ],
        cwd=folder,
        env={**os.environ, **keys, "PYTHONPATH": str(ROOT / "src")},
        check=True,
    )
    return time.monotonic() - start


def stored(client: Any) -> dict[str, bytes]:
    """Path below the analysis → content, of everything in the bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="taipan")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {
        key.split("htautau/", 1)[-1]: client.get_object(Bucket="taipan", Key=key)["Body"].read()
        for key in keys
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("local", type=Path, nargs="?", help="finished local run")
    parser.add_argument("--until", help="last rule (default: all)")
    options = parser.parse_args()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1",
        aws_access_key_id=KEY, aws_secret_access_key=KEY,
    )  # fmt: skip
    client.create_bucket(Bucket="taipan")
    try:
        with tempfile.TemporaryDirectory() as name:
            seconds = run(Path(name), url, options.until)
        found = stored(client)
    finally:
        server.stop()
    print(f"{len(found)} files in the bucket, {seconds:.0f} s")
    for name in COMPARED if options.local else ():
        same = found.get(name) == (options.local / name).read_bytes()
        print(f"{name}: {'same' if same else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
