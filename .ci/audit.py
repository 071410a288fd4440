#!/usr/bin/env python
"""Compare the lock files with published advisories.

pip-audit asks the advisory service of the package index, which a mirror may not have. What it
could not look up is said, and the versions below which are known to be bad are compared in any
case: that list is a floor, not a substitute.

    python .ci/audit.py [--offline]
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCKS = (
    ROOT / "requirements.lock",
    *(ROOT / "envs" / f"{name}.lock" for name in ("root", "docs", "htcondor")),
)
PIP_AUDIT = "pip-audit==2.10.1"
# package: (first version without the hole, advisory), of packages that read what others wrote
FLOORS = {
    "aiohttp": ("3.12.14", "CVE-2025-53643"),
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "dask": ("2021.10.0", "CVE-2021-42343"),
    "fonttools": ("4.60.2", "CVE-2025-66034"),
    "grpcio": ("1.56.2", "CVE-2023-33953"),
    "idna": ("3.7", "CVE-2024-3651"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "keras": ("3.11.3", "CVE-2025-9905"),
    "onnx": ("1.17.0", "CVE-2024-5187"),
    "pillow": ("10.3.0", "CVE-2024-28219"),
    "protobuf": ("6.31.1", "CVE-2025-4565"),
    "pyarrow": ("14.0.1", "CVE-2023-47248"),
    "pyyaml": ("5.4", "CVE-2020-14343"),
    "requests": ("2.32.4", "CVE-2024-47081"),
    "setuptools": ("78.1.1", "CVE-2025-47273"),
    "tornado": ("6.5", "CVE-2025-47287"),
    "tqdm": ("4.66.3", "CVE-2024-34062"),
    "urllib3": ("2.6.0", "CVE-2025-66418"),
    "virtualenv": ("20.26.6", "CVE-2024-53899"),
    "werkzeug": ("3.0.6", "CVE-2024-49767"),
    "zipp": ("3.19.1", "CVE-2024-5569"),
}


def locked(text: str) -> dict[str, str]:
    """Package → version of a lock file."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE))


def below_floor(packages: dict[str, str]) -> list[str]:
    """One line a package with a version that is known to be bad."""
    return [
        f"{name} {packages[name]}: {advisory}, mended in {floor}"
        for name, (floor, advisory) in FLOORS.items()
        if name in packages and Version(packages[name]) < Version(floor)
    ]


def ask_service(lock: Path) -> list[dict[str, Any]] | None:
    """Ask pip-audit about each package of a lock file; None if it cannot be run."""
    command = ["uv", "tool", "run", PIP_AUDIT, "-r", str(lock), "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return None
    return found


def audit(lock: Path, offline: bool) -> list[str]:
    """Print what is known of the packages of a lock file; one line a package with an advisory."""
    packages = locked(lock.read_text(encoding="utf-8"))
    bad = below_floor(packages)
    answers = None if offline else ask_service(lock)
    known = [item for item in answers or [] if "skip_reason" not in item]
    for item in known:
        bad += [f"{item['name']} {item['version']}: {hole['id']}" for hole in item["vulns"]]
    print(
        f"{lock.relative_to(ROOT)}: {len(packages)} packages; {len(known)} looked up in the "
        f"advisory service, {sum(name in packages for name in FLOORS)} compared with the list of "
        "this script"
    )
    if len(known) < len(packages):
        print("WARNING: the advisory service did not answer for the others", file=sys.stderr)
    return [f"{lock.relative_to(ROOT)}: {line}" for line in bad]


def main(arguments: Sequence[str]) -> int:
    """Print what is known; 1 if a package has an advisory."""
    bad = [line for lock in LOCKS for line in audit(lock, "--offline" in arguments)]
    for line in bad:
        print(f"error: {line}", file=sys.stderr)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
