"""A server that the bench measures, in a separate process."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from app.bench.environment import child_environment, kill
from app.bench.errors import BenchFailed
from app.bench.measured.process_figures import children
from gateway_shim.http_client.final_response import FinalResponse

__all__ = ["NO_LIMIT", "POLL_SECONDS", "MeasuredServer"]

_START_SECONDS = 20.0
_STOP_SECONDS = 15.0
_REQUEST_SECONDS = 60.0
POLL_SECONDS = 0.01
"""The pause between two requests for the state of a server."""

NO_LIMIT = "3600"
"""A setting in seconds that is longer than any run of the bench."""


class MeasuredServer:
    """A context manager that runs a server; the server answers once the context is entered.

    Args:
        command: the command that starts the server.
        port: the port that the server will listen on.
        settings: the settings in the environment of the server.
        ready_path: the path that answers 200 once the server is ready.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        settings: dict[str, str],
        ready_path: str = "/healthz",
    ) -> None:
        self.port = port
        self._name = " ".join(command)
        self._command = list(command)
        self._settings = settings
        self._ready_path = ready_path

    def __enter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            BenchFailed: the server cannot be started, or has ended, or does not answer.
        """
        self._log = tempfile.TemporaryFile()
        self._folder = tempfile.TemporaryDirectory()  # a working directory without an .env file
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our command, or the user's
                self._command,
                env=child_environment(PORT=str(self.port), **self._settings),
                cwd=self._folder.name,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as exc:
            self._clean_up()
            raise BenchFailed(f"{self._name} cannot be started: {exc.strerror}") from exc
        try:
            self._wait_until_ready()
        except BaseException:
            kill(self._process)
            self._clean_up()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server and its children: gracefully, or at once after an exception."""
        if kind is None:
            self._process.send_signal(signal.SIGTERM)
        kill(self._process, wait_seconds=_STOP_SECONDS if kind is None else 0.0)
        self._clean_up()

    @property
    def pid(self) -> int:
        """The PID of the process that was started."""
        return self._process.pid

    @property
    def worker(self) -> int:
        """The PID of the serving process: gunicorn's worker, or the process that was started.

        Raises:
            BenchFailed: the process has ended, or there are several workers.
        """
        workers = self.workers
        if len(workers) > 1:
            raise self._failure(f"has {len(workers)} workers")
        return workers[0] if workers else self._process.pid

    @property
    def workers(self) -> list[int]:
        """The PIDs of gunicorn's workers, oldest first; empty for a server without workers.

        Raises:
            BenchFailed: the process has ended.
        """
        try:
            return children(self._process.pid)
        except OSError as exc:
            raise self._failure("has ended") from exc

    def request(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Send a request to the server.

        Returns:
            The status and the body of the answer.
        """
        connection = self._connection()
        connection.response_class = FinalResponse
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if "CERTFILE" not in self._settings:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_REQUEST_SECONDS)
        # Any certificate is accepted, because this is our own server on loopback.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=_REQUEST_SECONDS, context=context
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise self._failure(f"ended with status {self._process.returncode}")
            try:
                if self._is_ready():
                    return
            except (OSError, http.client.HTTPException):
                pass  # the server does not listen yet, or does not speak HTTP
            time.sleep(POLL_SECONDS)
        raise self._failure(f"does not answer {self._ready_path} on port {self.port}")

    def _is_ready(self) -> bool:
        """Return True if the server answers as it does once it is ready; may raise OSError."""
        return self.request("GET", self._ready_path)[0] == 200

    def _failure(self, problem: str) -> BenchFailed:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()[-10:]
        text = [f"{self._name} {problem}", *(f"  | {line}" for line in lines)]
        return BenchFailed("\n".join(text))

    def _clean_up(self) -> None:
        self._log.close()
        self._folder.cleanup()
