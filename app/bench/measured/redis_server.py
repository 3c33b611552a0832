"""A redis-server of the bench, which orders the events of the measured backends."""

from __future__ import annotations

import shutil
import socket
from importlib.util import find_spec

from app.bench.measured.server import MeasuredServer
from gateway_shim.parity.ports import free_port

__all__ = ["MeasuredRedis", "redis_problem"]

_COMMAND = "redis-server"
_ANSWER_SECONDS = 1.0


def redis_problem() -> str | None:
    """Return what is missing on this machine for a measurement with Redis; None: nothing."""
    if shutil.which(_COMMAND) is None:
        return "there is no redis-server in PATH; install one, such as the package redis-server"
    if find_spec("redis") is None:
        return "the package redis is not installed; run: pip install 'sse-monolith[redis]'"
    return None


class MeasuredRedis(MeasuredServer):
    """A redis-server on a free port of the loopback, with an append-only file of its own.

    The file is written as Redis does by default: each change at once, to the disk each second.
    """

    def __init__(self) -> None:
        port = free_port()
        options = {
            "--port": str(port),
            "--bind": "127.0.0.1",
            "--appendonly": "yes",
            "--save": "",
            "--loglevel": "warning",
        }
        command = [_COMMAND, *(text for option in options.items() for text in option)]
        super().__init__(command, port, {}, ready_path="PING")

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a backend whose events this server orders."""
        return {"SSE_BUS_URL": f"redis://127.0.0.1:{self.port}/0"}

    def _is_ready(self) -> bool:
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64) == b"+PONG\r\n"
