"""What is measured: the monolith under gunicorn, and gateways on a port."""

from __future__ import annotations

import http.client
import json
import re
import shlex
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from app.bench.environment import child_environment, kill
from app.bench.errors import BenchFailed
from app.bench.measured.process_figures import only_child
from app.program.self_command import self_command
from gateway_shim.http_client.final_response import FinalResponse
from gateway_shim.parity.ports import free_port
from gateway_shim.streams.opening.pending_connects import MAX_PENDING_CONNECTS

__all__ = ["Monolith", "Server", "gateway"]

_START_SECONDS = 20.0
_STOP_SECONDS = 15.0
_REQUEST_SECONDS = 60.0
_POLL_SECONDS = 0.01
_NO_LIMIT = "3600"


class Server:
    """A context manager: a server in a process of its own, answering once it is entered.

    Args:
        command: what to run.
        port: where it will listen.
        settings: its environment's.
        ready_path: answers 200 once it is up.
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
            BenchFailed: it cannot be started, or ended, or did not answer.
        """
        self._log = tempfile.TemporaryFile()
        self._folder = tempfile.TemporaryDirectory()  # without an .env file
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ours, or what the user typed
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
        """Stop the server and what it has started; at once if something failed."""
        if kind is None:
            self._process.send_signal(signal.SIGTERM)
        kill(self._process, wait_seconds=_STOP_SECONDS if kind is None else 0.0)
        self._clean_up()

    @property
    def worker(self) -> int:
        """The pid of the process that serves: gunicorn's worker, or the one that was started.

        Raises:
            BenchFailed: it is gone.
        """
        try:
            return only_child(self._process.pid) or self._process.pid
        except OSError as exc:
            raise self._failure("has ended") from exc

    def request(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Ask it something.

        Returns:
            Status and body of the answer.
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
        # Any chain will do: it is our own server on loopback, and not its name that is measured.
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
                if self.request("GET", self._ready_path)[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass  # it does not listen yet, or does not speak HTTP
            time.sleep(_POLL_SECONDS)
        raise self._failure(f"does not answer {self._ready_path} on port {self.port}")

    def _failure(self, what: str) -> BenchFailed:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()[-10:]
        return BenchFailed("\n".join([f"{self._name} {what}", *(f"  | {line}" for line in lines)]))

    def _clean_up(self) -> None:
        self._log.close()
        self._folder.cleanup()


class Monolith(Server):
    """The backend as ``sse-monolith serve`` runs it, with the bench's task.

    Args:
        settings: its environment's.
    """

    def __init__(self, **settings: str) -> None:
        port = free_port()
        own = {
            "APP_TASKS": "app.bench.measured.burst_task:BurstTask",
            "TASK_TIMEOUT_SECONDS": _NO_LIMIT,
            "HEARTBEAT_INTERVAL_SECONDS": _NO_LIMIT,  # not among what is counted
            # A crowd that comes back at one instant is to be taken, not told to come later.
            "SSE_MAX_PENDING_CONNECTS": str(MAX_PENDING_CONNECTS),
        }
        super().__init__([*self_command(), "serve"], port, own | settings)

    def start_burst(self, events: int, *, pause: float = 0.0, result_bytes: int = 0) -> str:
        """Have the task broadcast; it has begun when this returns.

        Args:
            events: how many progress events.
            pause: seconds before each.
            result_bytes: size of its last event.

        Returns:
            The task's id.
        """
        params = {"events": events, "pause": pause, "result_bytes": result_bytes}
        status, body = self.request("POST", "/api/tasks", {"task_type": "burst", "params": params})
        if status != 202:
            raise BenchFailed(f"the task could not be started: {body.decode(errors='replace')}")
        return str(json.loads(body)["task_id"])

    def burst_result(self, task_id: str) -> dict[str, Any]:
        """What the task returned; it must be over."""
        while True:
            task = json.loads(self.request("GET", f"/api/tasks/{task_id}/status")[1])
            if task["status"] not in ("pending", "running"):
                break
            time.sleep(_POLL_SECONDS)
        if task["status"] != "completed":
            raise BenchFailed(f"the task {task['status']}: {task['error']}")
        result: dict[str, Any] = task["result"]
        return result

    def metric(self, name: str) -> float:
        """The value of one of its metrics."""
        text = self.request("GET", "/metrics")[1].decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        if found is None:
            raise BenchFailed(f"/metrics has no {name}")
        return float(found[1])


def gateway(command: str | None, port: int, callback_url: str) -> Server:
    """A gateway on a port.

    Args:
        command: how to start it; ``{port}`` and ``{callback_url}`` are replaced, and PORT and
            CALLBACK_URL are in its environment. None: the shim.
        port: where it is to listen.
        callback_url: the backend's.
    """
    if command is None:
        parts = [*self_command(), "gateway"]
    else:
        values = {"{port}": str(port), "{callback_url}": callback_url}
        parts = shlex.split(command)
        for name, value in values.items():
            parts = [part.replace(name, value) for part in parts]
    settings = {"CALLBACK_URL": callback_url, "HEARTBEAT_INTERVAL_SECONDS": _NO_LIMIT}
    return Server(parts, port, settings)
