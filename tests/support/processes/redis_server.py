"""A redis-server of a test, on a Unix socket, and on a port of 127.0.0.1 if it is wanted."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.support.processes.child import ChildProcess
from tests.support.timing import wait_until

__all__ = ["RedisServer"]

_ATTEMPTS = 5


class RedisServer:
    """A context manager that runs redis-server. Its files are removed at the end.

    Args:
        options: more options of redis-server, such as ``--appendonly yes``.
        with_port: True if it shall listen on a free port, too.
        sentinel: the configuration file of a Sentinel, which it shall be; None: a Redis.
    """

    def __init__(
        self,
        options: Sequence[str] = (),
        *,
        with_port: bool = False,
        sentinel: Path | None = None,
    ) -> None:
        self._options = list(options)
        self._with_port = with_port
        self._sentinel = sentinel
        # Not the folder of the test: the path of a Unix socket must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self._child: _Child | None = None
        self.port = 0

    def __enter__(self) -> Self:
        """Start the server, and wait until it answers."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill the server, and remove its files."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """The URL of the socket."""
        return f"unix://{self.socket}"

    @property
    def socket(self) -> Path:
        """The path of the socket."""
        return self._folder / "socket"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._child is not None
        return self._child.pid

    def start(self) -> None:
        """Start the server, with the files that it has left."""
        for _ in range(_ATTEMPTS):
            if self._with_port and not self.port:
                with socket.create_server(("127.0.0.1", 0)) as free:
                    self.port = free.getsockname()[1]
            child = _Child(self._command())
            child.__enter__()
            self._child = child
            if self._is_up(child):
                return
            self.kill()
            self.port = 0  # another process has taken the port
        raise AssertionError("redis-server does not start")

    def kill(self) -> None:
        """Kill the server with SIGKILL. Its files stay."""
        if self._child is not None:
            self._child.__exit__(None, None, None)
            self._child = None
            self.socket.unlink(missing_ok=True)

    def client(self) -> Redis:
        """Return a client for the test. Close it."""
        return Redis(unix_socket_path=str(self.socket), decode_responses=True, protocol=2)

    def do(self, *command: str | int) -> Any:
        """Send one command, and return the answer."""
        with contextlib.closing(self.client()) as client:
            return client.execute_command(*command)

    def _is_up(self, child: ChildProcess) -> bool:
        with contextlib.closing(self.client()) as client:
            return wait_until(lambda: _state(client, child), "redis-server") == "answers"

    def _command(self) -> list[str]:
        if self._sentinel is not None:
            options = ["--port", str(self.port), "--unixsocket", str(self.socket)]
            return ["redis-server", str(self._sentinel), *options, "--sentinel"]
        return [
            "redis-server",
            *("--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)),
            *("--dir", str(self._folder), "--save", "", "--loglevel", "warning"),
            *("--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes"),
            *self._options,
        ]


class _Child(ChildProcess):
    """The process of the server."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__(command, stderr=subprocess.DEVNULL)


def _state(client: Redis, child: ChildProcess) -> str:
    """Return ``answers``, ``ended``, or an empty string."""
    if child.process.poll() is not None:
        return "ended"
    try:
        client.ping()
    except (RedisConnectionError, OSError):
        return ""
    return "answers"
