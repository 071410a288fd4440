#!/usr/bin/env python
"""Ask for each platform and Python whether the lock file can be installed there from wheels.

Nothing is installed, and no such machine is needed: uv compares the names of the files that the
package index has with the platform. docs/howto/macos.md and docs/dependencies.md tell the outcome.

    python .ci/platforms.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "Linux, x86_64": "x86_64-manylinux_2_28",
    "Linux, arm64": "aarch64-manylinux_2_28",
    "macOS 14, Apple silicon": "aarch64-apple-darwin",
}
WITHOUT = {"macOS 14, Intel": ("x86_64-apple-darwin", "3.12", "jaxlib")}
"""Where it cannot: platform, a Python, and a package without a wheel for it."""
PURE_SOURCE = ("connection-pool",)
"""Packages of pure Python that have no wheel at all."""


def find_obstacle(platform: str, python: str) -> str:
    """Return what uv says is missing there; empty if the lock file can be installed."""
    with tempfile.TemporaryDirectory() as target:
        command = ["uv", "pip", "install", "--quiet", "--dry-run", "--target", target, "--no-deps"]
        command += ["--python-version", python, "--python-platform", platform]
        command += ["--only-binary", ":all:"]
        command += [word for name in PURE_SOURCE for word in ("--no-binary", name)]
        command += ["-r", str(ROOT / "requirements.lock")]
        environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode == 0:
        return ""
    found = re.search(r"Because (\S+?)==\S+ has no .*wheels", done.stderr)
    return found.group(1) if found else done.stderr.strip()


def main() -> int:
    """Print one line for each platform and Python; 1 if one is not as the pages say."""
    status = 0
    for name, platform in PLATFORMS.items():
        for python in PYTHONS:
            obstacle = find_obstacle(platform, python)
            print(f"{name}, Python {python}: {obstacle or 'all wheels are there'}")
            status = max(status, bool(obstacle))
    for name, (platform, python, package) in WITHOUT.items():
        obstacle = find_obstacle(platform, python)
        print(f"{name}, Python {python}: no wheel of {obstacle or 'nothing'}")
        if obstacle != package:
            print(f"error: expected that {package} has none; mend the pages", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
