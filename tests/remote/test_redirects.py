"""A server may send a reader on, but not to the own machine or network; passwords stay unseen."""

from __future__ import annotations

import contextlib
import http.server
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from taipan.cli.main import main
from taipan.errors import TaipanError, UnreachableError
from taipan.remote.addresses import is_public
from taipan.remote.fetch import Expected, fetch_file
from taipan.remote.mirrors import Patience, RemoteFile
from taipan.remote.protocols import RefusedError
from taipan.remote.xrootd import XRootDReader

CONTENT = bytes(range(256)) * 8
ONCE = Patience(retries=0, backoff=0.05, timeout=15.0, give_up_after=60.0, min_speed=1.0)


class Servers:
    """A server with a file, `asked` so often, and one that sends everybody to `target`."""

    def __init__(self) -> None:
        self.target, self.asked = "", 0
        self.authorizations: list[str | None] = []
        self.front, self.back = 0, 0


@pytest.fixture
def servers() -> Iterator[Servers]:
    state = Servers()

    class Front(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.authorizations.append(self.headers["Authorization"])
            if self.path.startswith("/here"):
                send_file(self)
                return
            self.send_response(302)
            self.send_header("Location", state.target)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Back(Front):
        def do_GET(self) -> None:
            state.asked += 1
            state.authorizations.append(self.headers["Authorization"])
            send_file(self)

    def send_file(handler: http.server.BaseHTTPRequestHandler) -> None:
        first, last = map(int, handler.headers["Range"].removeprefix("bytes=").split("-"))
        body = CONTENT[first : last + 1]
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(CONTENT)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with contextlib.ExitStack() as stack:
        ports = []
        for handler in (Front, Back):
            server = stack.enter_context(http.server.ThreadingHTTPServer(("", 0), handler))
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            stack.callback(server.shutdown)
            ports.append(server.server_address[1])
        state.front, state.back = ports
        yield state


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False), ("127.8.9.1", False), ("0.0.0.0", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False),
        ("::", False), ("fe80::1", False), ("fe80::1%eth0", False), ("fc00::1", False),
        ("fd12::1", False), ("ff02::1", False), ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
        ("::ffff:93.184.216.34", True), ("64:ff9b::5db8:d822", True), ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False), ("64:ff9b:1::7f00:1", False), ("fec0::1", False),
        ("192.0.0.8", False), ("192.88.99.1", False), ("3fff::1", False), ("5f00::1", False),
        ("2606:4700::5efe:7f00:1", False), ("2606:4700::200:5efe:a00:1", False),
    ],
)  # fmt: skip
def test_addresses_of_the_own_machine_and_network(address: str, public: bool) -> None:
    """An IPv6 address may hold an IPv4 address of that kind."""
    assert is_public(address) is public


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0.0.0.0",
        "[::1]", "[::ffff:127.0.0.1]", "private.example",
    ],
)  # fmt: skip
def test_redirect_to_this_machine_is_refused_before_it_is_asked(
    servers: Servers, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = socket.getaddrinfo

    def look_up(name: Any, *arguments: Any, **options: Any) -> Any:
        mine = name in ("private.example", b"private.example")
        return known("127.0.0.1" if mine else name, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    servers.target = f"http://{host}:{servers.back}/f.bin"
    mirror = f"http://127.0.0.1:{servers.front}/"
    with pytest.raises(UnreachableError, match="after 1 tries.* loopback or private") as error:
        fetch_file(tmp_path / "f.bin", [mirror], Expected(), ONCE)
    assert "remote.allow_private_redirects: true" in str(error.value)
    assert servers.asked == 0
    assert not (tmp_path / "f.bin").exists()


@pytest.mark.parametrize("target", ["http://10.0.0.1/f", "http://169.254.169.254/latest/", "/here"])
def test_redirect_to_the_own_network_is_refused(servers: Servers, target: str) -> None:
    """Also to another place of a private server: it is one rule, and one key allows it."""
    servers.target = target
    with (
        RemoteFile("f", [f"http://127.0.0.1:{servers.front}/"], ONCE) as remote,
        pytest.raises(UnreachableError, match="loopback or private"),
    ):
        remote.read([(0, 4)])


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/f", "http://[/f"])
def test_redirect_to_what_is_no_web_address_is_refused(servers: Servers, target: str) -> None:
    servers.target = target
    with (
        RemoteFile("f", [f"http://127.0.0.1:{servers.front}/"], ONCE) as remote,
        pytest.raises(UnreachableError, match="(which|what) is no web address"),
    ):
        remote.read([(0, 4)])


def test_name_that_changes_its_address_is_refused(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Public when it is looked up, this machine when the connection is made."""
    monkeypatch.setattr("taipan.remote.http.resolve", lambda *_: ["93.184.216.34"])
    servers.target = f"http://localhost:{servers.back}/f"
    with (
        RemoteFile("f", [f"http://127.0.0.1:{servers.front}/"], ONCE) as remote,
        pytest.raises(UnreachableError, match=r"(127\.0\.0\.1|::1) is a loopback or private"),
    ):
        remote.read([(0, 4)])
    assert servers.asked == 0


def test_redirect_is_followed_where_the_configuration_allows_it(
    servers: Servers, tmp_path: Path
) -> None:
    """The password is for the server that was named, not for the one that it names."""
    servers.target = f"http://127.0.0.1:{servers.back}/f"
    mirror = f"http://me:word@127.0.0.1:{servers.front}/"
    fetch_file(tmp_path / "f", [mirror], Expected(), replace(ONCE, allow_private_redirects=True))
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert servers.asked > 0
    assert set(servers.authorizations) == {"Basic bWU6d29yZA==", None}
    servers.authorizations.clear()
    servers.target = "/here"
    fetch_file(tmp_path / "g", [mirror], Expected(), replace(ONCE, allow_private_redirects=True))
    assert set(servers.authorizations) == {"Basic bWU6d29yZA=="}


def test_redirects_in_a_circle_end(servers: Servers) -> None:
    servers.target = f"http://127.0.0.1:{servers.front}/f"
    patience = replace(ONCE, allow_private_redirects=True)
    with (
        RemoteFile("f", [servers.target[:-1]], patience) as remote,
        pytest.raises(UnreachableError, match="redirected more than 10 times"),
    ):
        remote.read([(0, 4)])


@pytest.mark.parametrize(
    ("url", "server", "refused"),
    [
        ("root://93.184.216.34//f", "93.184.216.35:1095", False),
        ("root://93.184.216.34//f", "10.0.0.7:1095", True),
        ("root://93.184.216.34//f", "[::1]:1094", True),
        ("root://93.184.216.34//f", "localhost:1094", True),
        ("root://127.0.0.1:1200//f", "127.0.0.1:1200", False),
        ("root://127.0.0.1:1200//f", "[::ffff:127.0.0.1]:1200", False),
        ("root://127.0.0.1:1200//f", "127.0.0.1:22", True),
    ],
)
def test_xrootd_server_that_sends_to_the_own_network(url: str, server: str, refused: bool) -> None:
    reader = XRootDReader.__new__(XRootDReader)
    reader.url = url
    reader._file = SimpleNamespace(get_property=lambda name: server)
    with pytest.raises(RefusedError, match="private") if refused else contextlib.nullcontext():
        reader._check_server()


SECRETS = ("alice", "s3cr%40t", "s3cr@t", "tok-123")


def shown(text: str) -> None:
    assert text
    for secret in SECRETS:
        assert secret not in text


def test_password_of_a_mirror_is_in_no_message(
    dead_port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mirrors = [
        f"{scheme}://alice:s3cr%40t@127.0.0.1:{dead_port}/data?token=tok-123"
        for scheme in ("http", "root")
    ]
    with caplog.at_level(logging.INFO, "taipan"):
        for mirror in mirrors:
            with pytest.raises(TaipanError) as error:
                fetch_file(tmp_path / "f.root", [mirror], Expected(), replace(ONCE, timeout=2.0))
            shown(str(error.value))
            with RemoteFile("f.root", [mirror], ONCE) as remote:
                shown(str(remote))
    shown(caplog.text)


def test_password_of_a_mirror_is_in_no_file(servers: Servers, tmp_path: Path) -> None:
    """What is left of a download says where it came from."""
    mirror = f"http://alice:s3cr%40t@127.0.0.1:{servers.front}/here"
    with pytest.raises(TaipanError) as error:
        fetch_file(tmp_path / "f", [mirror], Expected(adler32="00000000"), ONCE)
    shown(str(error.value))
    (tmp_path / "g").mkdir()
    with pytest.raises(TaipanError):
        fetch_file(tmp_path / "g", [mirror], Expected(size=7), ONCE)
    fetch_file(tmp_path / "h", [mirror], Expected(), ONCE)
    for path in tmp_path.rglob("*"):
        if path.suffix == ".json":
            shown(path.read_text(encoding="utf-8"))


def test_password_of_a_url_is_in_no_output_of_the_skim(
    dead_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("taipan")
    before = logger.handlers, logger.level, logger.propagate
    overlay = tmp_path / "o.yaml"
    overlay.write_text("remote: {retries: 0, timeout: 2}\n", encoding="utf-8")
    try:
        url = f"http://alice:s3cr%40t@127.0.0.1:{dead_port}/f.root?authz=tok-123"
        options = ["--out", str(tmp_path / "o.parquet"), "--config", str(overlay)]
        assert main(["skim", url, *options]) == 1
    finally:
        logger.handlers, logger.level, logger.propagate = before
    printed = capsys.readouterr()
    shown(printed.out + printed.err)
    assert "127.0.0.1" in printed.err


def test_password_in_a_bad_configuration_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "o.yaml"
    overlay.write_text(
        "remote: {mirrors: ['ftp://alice:s3cr%40t@example.org/a/very/long/path/of/all/files']}\n"
        "skims: https://alice:s3cr%40t@example.org/\ncatalogue: cms-2012-skims\n",
        encoding="utf-8",
    )
    assert main(["config", "check", "--config", str(overlay)]) == 1
    shown(capsys.readouterr().err)
