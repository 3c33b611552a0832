"""Servers in subprocesses, for live tests: started, watched, and never left behind.

``GunicornServer`` is the backend as gunicorn runs it, ``ServeServer`` as ``python -m app serve``
does, and ``Server`` any command that listens on the port it is given. Works in a process that
gevent has patched and in one that it has not.
"""

from __future__ import annotations

import contextlib
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
from types import TracebackType
from typing import Self

from app.config import Settings
from gateway_shim.parity.ports import free_port
from tests.support.http.client import BrokenHTTP, request
from tests.support.processes.process_table import only_descendant
from tests.support.timing import TIME_LIMIT, TimeLimitPassed, wait_until

__all__ = ["ROOT", "GunicornServer", "ServeServer", "Server", "ServerFailed", "free_port"]

ROOT = Path(__file__).resolve().parents[3]
"""The repository."""

_LOG_LINES = 5000
_SHOWN_LINES = 40

_NOT_INHERITED = {name.upper() for name in Settings.model_fields} | {
    "GUNICORN_CMD_ARGS",
    "WEB_CONCURRENCY",
}
"""What a developer's shell may hold, and a test's outcome must not depend on."""


class ServerFailed(AssertionError):
    """A server did not start, or did not stop; shows its last output lines."""


class Server:
    """A context manager: a server in a subprocess, answering by the time it is entered.

    At the end it is asked to stop (SIGTERM), and then its whole process group is killed.

    Args:
        command: what to run; ``{port}`` in it is replaced, and PORT is set as well.
        env: added to the environment; an inherited setting of the backend is never passed on.
        cwd: where to run it.
        ready_path: answers 200 once the server is up; None: it is not waited for.
        listener: a socket that listens for it; it is handed over, and its port is the server's.

    Attributes:
        port: where it listens, on 127.0.0.1.
        env: its environment; may be changed until it is entered.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        ready_path: str | None = "/healthz",
        listener: socket.socket | None = None,
    ) -> None:
        self._listener = listener
        self.port = free_port() if listener is None else listener.getsockname()[1]
        self._command = [part.replace("{port}", str(self.port)) for part in command]
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in _NOT_INHERITED},
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
            ),
            "PYTHONUNBUFFERED": "1",
            "PORT": str(self.port),
            **(env or {}),
        }
        self._cwd = cwd
        self._ready_path = ready_path
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            ServerFailed: it ended, or did not answer.
        """
        self._process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # So that everything it starts can be killed together.
            pass_fds=() if self._listener is None else (self._listener.fileno(),),
        )
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        if self._ready_path is None:
            return self
        try:
            wait_until(self._answers, f"{self._ready_path} to answer 200")
        except BaseException as exc:
            self._kill()
            if isinstance(exc, TimeLimitPassed):
                raise self._failure(str(exc)) from exc
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server and everything that it started.

        Raises:
            ServerFailed: it ignored SIGTERM; not raised over an error of the test itself.
        """
        try:
            self.terminate()
        except ServerFailed:
            if error is None:
                raise
        finally:
            self._kill()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started.

        Raises:
            ServerFailed: none was.
        """
        if self._process is None:
            raise self._failure("not started")
        return self._process

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that was started; under gunicorn, the arbiter or what started it."""
        return self.process.pid

    def worker_pid(self) -> int:
        """The process that serves: the child of the child ... of the one that was started.

        Raises:
            TimeLimitPassed: there were several such processes, or none, all the time.
        """
        # A worker that is just being replaced has a sibling for a moment, hence the waiting.
        return wait_until(lambda: only_descendant(self.pid), lambda: f"one worker below {self.pid}")

    @property
    def log(self) -> str:
        """Its output so far, standard error included; the last few thousand lines of it."""
        return "".join(self._lines.copy())

    def wait_for_log(self, pattern: str) -> re.Match[str]:
        """Wait until its output matches a regular expression.

        Raises:
            TimeLimitPassed: it did not; shows the output's end.
        """
        return wait_until(
            lambda: re.search(pattern, self.log),
            lambda: f"{pattern!r} in the output:\n{self._tail()}",
        )

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        self.process.send_signal(number)

    def wait(self, *, limit: float = TIME_LIMIT) -> int:
        """Wait until it ends by itself and return its exit status.

        Raises:
            ServerFailed: it did not.
        """
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired as exc:
            raise self._failure(f"still running after {limit:.1f} s") from exc
        self._join_reader(0.5)
        return status

    def terminate(self, *, limit: float = TIME_LIMIT) -> int:
        """Send SIGTERM, wait until it has ended, and return its exit status.

        Calling it again, or after it ended by itself, only returns the status.

        Raises:
            ServerFailed: it did not end within ``limit`` seconds; it is killed now.
        """
        if self.process.poll() is None:
            self.send_signal(signal.SIGTERM)
        try:
            return self.wait(limit=limit)
        except ServerFailed:
            self._kill()
            raise

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

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(TIME_LIMIT)
        self._join_reader(TIME_LIMIT)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _join_reader(self, limit: float) -> None:
        # The output ends when the last process that holds it does; a stray one of them must
        # not hang the test, only be killed later.
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
        *arguments: more arguments for gunicorn.
        env: the backend's settings.
        application: what gunicorn is to load.
        config: gunicorn's configuration file, seen from the repository.
        ready_path: as for :class:`Server`.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        application: str = "app:create_app()",
        config: str = "gunicorn.conf.py",
        ready_path: str | None = "/healthz",
    ) -> None:
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", config, "--bind", "127.0.0.1:{port}"]
        super().__init__([*gunicorn, *arguments, application], env=env, ready_path=ready_path)


class ServeServer(Server):
    """The backend as ``python -m app serve`` runs it.

    Args:
        *arguments: more arguments for ``serve``.
        env: the backend's settings.
        ready_path: as for :class:`Server`.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        ready_path: str | None = "/healthz",
    ) -> None:
        command = [sys.executable, "-m", "app", "serve", "--port", "{port}", *arguments]
        super().__init__(command, env=env, ready_path=ready_path)
