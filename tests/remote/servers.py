"""Real servers on 127.0.0.1, and a proxy before them that goes wrong on purpose."""

from __future__ import annotations

import contextlib
import http.server
import os
import select
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS = 120.0
NGINX = """
{user}
daemon off;
worker_processes 1;
pid {run}/nginx.pid;
error_log {run}/error.log;
events {{}}
http {{
  access_log {run}/access.log;
  client_body_temp_path {run}/body;
  proxy_temp_path {run}/proxy;
  fastcgi_temp_path {run}/fastcgi;
  uwsgi_temp_path {run}/uwsgi;
  scgi_temp_path {run}/scgi;
  log_format sizes '$status $body_bytes_sent $uri';
  access_log {run}/sizes.log sizes;
  server {{
    listen 127.0.0.1:{port}{tls};
    root {files};
  }}
}}
"""
XROOTD = """
xrd.port {port}
xrd.network nodnr
all.export /
oss.localroot {files}
xrootd.chksum max 2 adler32
all.adminpath {run}
all.pidpath {run}
"""


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port that refuses connections, and that nobody else is given, until a server listens.

    It is bound for as long as it is used: a port that is merely free may be given to another test
    meanwhile. A server binds it all the same, because both sides allow the reuse of the address.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10.0):
            return
        time.sleep(0.05)
    raise AssertionError(f"no server on port {port}")


@contextlib.contextmanager
def running(command: list[str], port: int, run: Path, **options: object) -> Iterator[None]:
    """A server process, ended with the block."""
    with (run / "output.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=run, **options)  # type: ignore[call-overload]
    try:
        wait_for(port, process, run / "output.log")
        yield
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@contextlib.contextmanager
def nginx(files: Path, run: Path, certificate: Path | None = None) -> Iterator[int]:
    """A web server with range requests; yields its port.

    With a `certificate` (a file of key and certificate) it speaks https.
    """
    config = run / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # pytest's folders are its own
    tls = ""
    if certificate is not None:
        tls = f" ssl;\n    ssl_certificate {certificate};\n    ssl_certificate_key {certificate}"
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
    with reserved_port() as port:
        text = NGINX.format(run=run, files=files, port=port, user=user, tls=tls)
        config.write_text(text, encoding="utf-8")
        with running([program, "-p", str(run), "-c", str(config)], port, run):
            yield port


def make_certificate(path: Path) -> None:
    """Write a key and a certificate of 127.0.0.1, signed by itself."""
    key = path.with_suffix(".key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text(encoding="utf-8") + key.read_text(encoding="utf-8"))


@contextlib.contextmanager
def xrootd(files: Path, run: Path) -> Iterator[int]:
    """An XRootD server; yields its port. It does not run as root, who becomes nobody."""
    config = run / "xrootd.cfg"
    options: dict[str, object] = {}
    if os.geteuid() == 0:
        options = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        run.chmod(0o777)
    with reserved_port() as port:
        config.write_text(XROOTD.format(run=run, files=files, port=port), encoding="utf-8")
        with running(["xrootd", "-c", str(config), "-n", "test"], port, run, **options):
            yield port


@dataclass
class Faults:
    """What a proxy does wrong, each so many times.

    Attributes
    ----------
    unavailable
        Requests answered with status 503 (HTTP only).
    cuts
        Connections cut after `cut_after` bytes from the server.
    hang
        Whether new connections are not answered at all.
    freeze
        Whether open connections carry nothing any more.
    drip_after
        Bytes of a connection after which the server's come one at a time, for a minute.
    """

    unavailable: int = 0
    cuts: int = 0
    cut_after: int = 200_000
    hang: bool = False
    freeze: bool = False
    drip_after: float = float("inf")
    seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, name: str) -> bool:
        """Use up one of the faults `name`, if any is left."""
        with self.lock:
            left = int(getattr(self, name))
            setattr(self, name, max(left - 1, 0))
            return left > 0


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def proxy(port: int, faults: Faults) -> Iterator[int]:
    """A TCP proxy before the server on `port`; yields its own port."""
    stop = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with faults.lock:
                faults.seen += 1
            _serve(self.request, port, faults, stop)

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            stop.set()
            server.shutdown()
            thread.join()


def _serve(client: socket.socket, port: int, faults: Faults, stop: threading.Event) -> None:
    if faults.hang:
        stop.wait(60.0)
        return
    if faults.take("unavailable"):
        client.recv(65536)
        client.sendall(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        return
    left: float = float("inf")
    sent = 0
    with socket.create_connection(("127.0.0.1", port)) as server:
        while not stop.is_set():
            if faults.freeze:
                stop.wait(60.0)
                return
            for source in select.select([client, server], [], [], 0.2)[0]:
                try:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is client:
                        server.sendall(data)
                        continue
                    sent += len(data)
                    if sent > faults.drip_after:
                        _drip(client, data, stop)
                        return
                    # a cut is used up by a connection that is long enough to be cut
                    left = _forward(client, data, left, faults)
                except OSError:
                    return
                if left <= 0:
                    return


def _forward(client: socket.socket, data: bytes, left: float, faults: Faults) -> float:
    """Send on what came from the server; returns the bytes left before the cut."""
    if left == float("inf") and faults.cuts:
        left = float(faults.cut_after)
    if len(data) < left:
        client.sendall(data)
        return left - len(data)
    client.sendall(data[: int(left)])
    faults.take("cuts")
    return 0.0


def _drip(client: socket.socket, data: bytes, stop: threading.Event) -> None:
    """Send a byte every 0.3 s."""
    for i in range(200):
        client.sendall(data[i % len(data) :][:1])
        if stop.wait(0.3):
            return


def bytes_sent(run: Path, name: str, at_least: int) -> int:
    """Bytes of the file `name` that nginx sent as content.

    The log is written after the answer: waits until it has `at_least` so many bytes and has not
    changed for a while.
    """
    deadline = time.monotonic() + START_SECONDS
    before = -1
    while time.monotonic() < deadline:
        lines = (run / "sizes.log").read_text(encoding="utf-8").splitlines(keepends=True)
        complete = [line.split() for line in lines if line.endswith("\n")]
        sent = sum(int(size) for _, size, uri in complete if uri == f"/{name}")
        if sent == before and sent >= at_least:
            return sent
        before = sent
        time.sleep(0.5)
    raise AssertionError(f"nginx sent {before} bytes of {name}, expected are {at_least}")


@contextlib.contextmanager
def odd_server(answer: Callable[[int, int], tuple[int, dict[str, str], bytes]]) -> Iterator[int]:
    """A web server that answers a range (start, stop) with what `answer` gives; yields its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            code, headers, body = answer(int(first), int(last) + 1)
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
