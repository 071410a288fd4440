"""Servers, and a folder of files that they serve."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uproot

from taipan.fastsim import write_dataset
from taipan.remote.mirrors import Patience
from tests.conftest import fastsim_settings
from tests.remote.servers import nginx, reserved_port, xrootd

EVENTS = 5_000
# long enough that a machine busy with other things is not taken for a fault
QUICK = Patience(retries=3, backoff=0.05, timeout=15.0, give_up_after=100.0, min_speed=1.0)
PROGRAMS = {"http": "nginx", "root": "xrootd"}


@dataclass(frozen=True)
class Served:
    """A folder and the servers that serve it."""

    folder: Path
    ports: dict[str, int]
    http_log: Path

    def base(self, scheme: str, port: int | None = None) -> str:
        """Base URL; `port` is that of a proxy."""
        slash = "//" if scheme == "root" else ""
        return f"{scheme}://127.0.0.1:{port or self.ports[scheme]}{slash}"


def need(scheme: str) -> None:
    path = f"{os.environ['PATH']}:/usr/sbin"
    if shutil.which(PROGRAMS[scheme], path=path) is None:
        pytest.skip(f"{PROGRAMS[scheme]} is not installed")


@pytest.fixture(scope="session")
def public() -> Iterator[Path]:
    """A folder that any user may enter, as pytest's may not: XRootD does not run as root."""
    with tempfile.TemporaryDirectory(prefix="taipan-served-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def folder(public: Path) -> Path:
    """Files to serve: simulated events, and damaged copies of them."""
    folder = public / "files"
    folder.mkdir()
    path = folder / "DYJetsToLL.root"
    write_dataset("DYJetsToLL", path, fastsim_settings(events={"DYJetsToLL": EVENTS}), seed=11)
    content = path.read_bytes()
    (folder / "truncated.root").write_bytes(content[: len(content) * 2 // 3])
    with uproot.open(path) as file:
        basket = int(file["Events/Muon_pt"].member("fBasketSeek")[0])
    changed = bytearray(content)
    changed[basket : basket + 400] = bytes(400)
    (folder / "changed.root").write_bytes(changed)
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


@pytest.fixture(scope="session")
def adler32(folder: Path) -> str:
    return f"{zlib.adler32((folder / 'DYJetsToLL.root').read_bytes()):08x}"


@pytest.fixture(scope="session")
def http_server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    need("http")
    run = tmp_path_factory.mktemp("nginx")
    with nginx(folder, run) as port:
        yield Served(folder, {"http": port}, run)


@pytest.fixture(scope="session")
def root_server(folder: Path, public: Path) -> Iterator[Served]:
    need("root")
    run = public / "xrootd"
    run.mkdir()
    with xrootd(folder, run) as port:
        yield Served(folder, {"root": port}, run)


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port on which nothing listens."""
    with reserved_port() as port:
        yield port


@pytest.fixture(params=["http", "root"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def served(scheme: str, request: pytest.FixtureRequest) -> Served:
    """The server of the protocol under test."""
    served: Served = request.getfixturevalue(f"{scheme}_server")
    return served
