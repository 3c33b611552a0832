"""Prints what a binary weighs and how soon it serves: ``figures.py dist/sse-monolith``."""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_RUNS = 5
_LIMIT_SECONDS = 20.0


def main(binary: Path) -> None:
    """Measure and print."""
    first = _timed(_first_event, binary)
    help_text = _timed(_help, binary)
    print(f"{binary}: {binary.stat().st_size / 1e6:.1f} MB")
    print(f"  start to first event  {first:.2f} s  (median of {_RUNS})")
    print(f"  start to --help       {help_text:.2f} s")
    subprocess.run([binary, "version"], check=True)


def _timed(what, binary: Path) -> float:
    seconds = []
    for _ in range(_RUNS):
        begun = time.monotonic()
        seconds.append(what(binary) - begun)
    return statistics.median(seconds)


def _help(binary: Path) -> float:
    subprocess.run([binary, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic()


def _first_event(binary: Path) -> float:
    """Start the server, open a stream, and wait for its first event: the version's."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, _serving(binary, port, folder):
        deadline = time.monotonic() + _LIMIT_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionError):
                return _open_stream(port)
            time.sleep(0.002)
    raise SystemExit(f"{binary} sent no event within {_LIMIT_SECONDS:g} s")


def _open_stream(port: int) -> float:
    with socket.create_connection(("127.0.0.1", port), _LIMIT_SECONDS) as client:
        target = b"/api/sse/stream?request_id=figures"
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        seen = b""
        while b"event:" not in seen:
            more = client.recv(65536)
            if not more:
                raise ConnectionError(seen)
            seen += more
        return time.monotonic()


@contextlib.contextmanager
def _serving(binary: Path, port: int, folder: str):
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    process = subprocess.Popen(
        [binary.resolve(), "serve", "--port", str(port)],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise SystemExit(f"{binary} did not stop within {_LIMIT_SECONDS:g} s") from None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
