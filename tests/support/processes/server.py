"""Servers in child processes, which tests start, watch and stop.

``GunicornServer`` runs the backend under gunicorn, ``ServeServer`` runs it with
``python -m app serve``, ``GatewayServer`` runs the gateway alone, and ``Server`` runs any command
that listens on the port it is given. All of them work in a process that gevent has patched, and
in one that it has not.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.config import Settings
from gateway_shim.parity.ports import free_port
from tests.support.http.client import BrokenHTTP, request
from tests.support.processes.child import ROOT, ChildProcess
from tests.support.processes.process_table import first_siblings, only_descendant
from tests.support.timing import TIME_LIMIT, TimeLimitPassed, wait_until

__all__ = [
    "ROOT",
    "GatewayServer",
    "GunicornServer",
    "ServeServer",
    "Server",
    "ServerFailed",
]

_LOG_LINES = 5000
_SHOWN_LINES = 40

_NOT_INHERITED = {name.upper() for name in Settings.model_fields} | {
    "GUNICORN_CMD_ARGS",
    "WEB_CONCURRENCY",
}
"""Variables that the shell of a developer may have set, and that must not change a test."""


class ServerFailed(AssertionError):
    """A server did not start, or did not stop. The message has its last lines of output."""


class Server(ChildProcess):
    """A context manager that runs a server, which answers from the start of the block.

    At the end of the block the server gets SIGTERM. When it has ended, its whole process group
    is killed.

    Args:
        command: the program and its arguments. ``{port}`` is replaced by the port, which is also
            the value of PORT in the environment.
        env: additions to the environment. The backend's settings are not inherited from the
            environment of the tests.
        cwd: the working directory.
        ready_path: the path that answers with 200 once the server is ready; None: do not wait.
        listener: a listening socket that the server inherits; its port is the server's port.
        port: the port; None: the port of the listener, or a free port.

    Attributes:
        port: the port on 127.0.0.1 where the server listens.
        workers: the number of workers; 1 unless a subclass starts more.
    """

    workers = 1

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        ready_path: str | None = "/healthz",
        listener: socket.socket | None = None,
        port: int | None = None,
    ) -> None:
        if port is None:
            port = free_port() if listener is None else listener.getsockname()[1]
        inherited = {name: text for name, text in os.environ.items() if name not in _NOT_INHERITED}
        python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        own = {"PYTHONPATH": python_path, "PYTHONUNBUFFERED": "1", "PORT": str(port)}
        super().__init__(
            [part.replace("{port}", str(port)) for part in command],
            env=inherited | own | dict(env or {}),
            cwd=cwd,
            stderr=subprocess.STDOUT,
            pass_fds=() if listener is None else (listener.fileno(),),
        )
        self.port: int = port
        self._listener = listener  # keeps the descriptor open until the server has inherited it
        self._ready_path = ready_path
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)
        self._reader: threading.Thread | None = None

    # ------------------------------------------------------------------ what it is

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def worker_pid(self) -> int:
        """Return the process id of the worker: the child of the child (and so on) of the server.

        Raises:
            TimeLimitPassed: there was no such process, or more than one.
        """
        # A worker that is being replaced has a sibling for a moment, so this has to wait.
        return wait_until(lambda: only_descendant(self.pid), lambda: f"one worker below {self.pid}")

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers, oldest first, once there are as many as wanted.

        Raises:
            TimeLimitPassed: there were more or fewer. A reload has twice as many for a moment.
        """
        if self.workers == 1:
            return [self.worker_pid()]

        def found() -> list[int] | None:
            pids = first_siblings(self.pid)
            return pids if len(pids) == self.workers else None

        return wait_until(found, lambda: f"{self.workers} workers below {self.pid}")

    @property
    def log(self) -> str:
        """The last few thousand lines of the output, including standard error."""
        return "".join(self._lines.copy())

    # ------------------------------------------------------------------ what tests do with it

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        """Wait until the output matches a regular expression.

        Raises:
            TimeLimitPassed: the output did not match. The message has its last lines.
        """
        return wait_until(
            lambda: re.search(pattern, self.log),
            lambda: f"{pattern!r} in the output:\n{self._tail()}",
        )

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        self.process.send_signal(number)

    def wait(self, *, limit: float = TIME_LIMIT) -> int:
        """Wait until the server ends without being asked to, and return its exit status.

        Raises:
            ServerFailed: the server still runs after ``limit`` seconds.
        """
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired as exc:
            raise self._failure(f"still running after {limit:.1f} s") from exc
        self._join_reader(0.5)
        return status

    def terminate(self, *, limit: float = TIME_LIMIT) -> int:
        """Send SIGTERM, wait until the server has ended, and return its exit status.

        If the server has already ended, only return the status.

        Raises:
            ServerFailed: the server did not end within ``limit`` seconds, and was killed.
        """
        if self.process.poll() is None:
            self.send_signal(signal.SIGTERM)
        try:
            return self.wait(limit=limit)
        except ServerFailed:
            self._kill()
            raise

    def kill(self) -> None:
        """Kill the server and its workers at once, as a crash would."""
        os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(TIME_LIMIT)

    # ------------------------------------------------------------------ private

    def _wait_until_ready(self) -> None:
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        if self._ready_path is None:
            return
        try:
            wait_until(self._answers, f"{self._ready_path} to answer 200")
        except TimeLimitPassed as exc:
            raise self._failure(str(exc)) from exc

    def _stop(self) -> None:
        self.terminate()

    def _answers(self) -> bool:
        status = self.process.poll()
        if status is not None:
            self._join_reader(0.5)
            raise self._failure(f"ended with status {status} before it answered")
        try:
            return request(self.port, "GET", self._ready_path or "/").status == 200
        except (OSError, BrokenHTTP):
            return False

    def _read_output(self) -> None:
        output = self.process.stdout
        assert output is not None
        for line in output:
            self._lines.append(line.decode("utf-8", "replace"))

    def _join_reader(self, limit: float) -> None:
        # The output ends when the last process that holds it ends. A process that has left the
        # group must not make the test hang.
        if self._reader is not None:
            self._reader.join(limit)

    def _failure(self, what: str) -> ServerFailed:
        return ServerFailed(f"{' '.join(self._command)}: {what}\n{self._tail()}")

    def _tail(self) -> str:
        lines = list(self._lines)[-_SHOWN_LINES:]
        return "".join(f"  | {line.rstrip()}\n" for line in lines) or "  (no output)\n"


class GunicornServer(Server):
    """The backend under gunicorn, with the repository's ``gunicorn.conf.py``.

    Args:
        *arguments: additional arguments of gunicorn.
        env: the backend's settings.
        application: the application that gunicorn loads.
        config: gunicorn's configuration file, relative to the repository.
        ready_path: as for :class:`Server`. With several workers, one of them answers.
        workers: the number of workers. :meth:`worker_pids` has them all.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        application: str = "app:create_app()",
        config: str = "gunicorn.conf.py",
        ready_path: str | None = "/healthz",
        workers: int = 1,
    ) -> None:
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", config, "--bind", "127.0.0.1:{port}"]
        if workers != 1:
            gunicorn += ["--workers", str(workers)]
        self.workers = workers
        super().__init__([*gunicorn, *arguments, application], env=env, ready_path=ready_path)


class ServeServer(Server):
    """The backend as ``python -m app serve`` runs it.

    Args:
        *arguments: additional arguments of ``serve``.
        env: the backend's settings.
        cwd: the working directory.
        ready_path: as for :class:`Server`. With several workers, one of them answers.
        workers: the number of workers. :meth:`worker_pids` has them all.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        ready_path: str | None = "/healthz",
        workers: int = 1,
    ) -> None:
        command = [sys.executable, "-m", "app", "serve", "--port", "{port}", *arguments]
        if workers != 1:
            command += ["--workers", str(workers)]
        self.workers = workers
        super().__init__(command, env=env, cwd=cwd, ready_path=ready_path)


class GatewayServer(Server):
    """The gateway alone, as ``python -m gateway_shim`` runs it.

    Args:
        env: its environment; CALLBACK_URL names the backend.
        port: the port; None: a free port.
    """

    def __init__(self, *, env: Mapping[str, str], port: int | None = None) -> None:
        command = [sys.executable, "-m", "gateway_shim", "--host", "127.0.0.1", "--port", "{port}"]
        super().__init__(command, env=env, port=port)
