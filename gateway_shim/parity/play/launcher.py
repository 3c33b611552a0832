"""Gateway processes: their start, their readiness, and their end without remains."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping

from gateway_shim.parity.play.probe import NotHttp, ProbeConnection, request_bytes
from gateway_shim.parity.ports import free_port

__all__ = ["GatewayFailed", "GatewayProcess"]

READY_SECONDS = 15.0
"""The time that a gateway may take until ``/healthz`` answers, seconds."""

_WRONG_ANSWER_SECONDS = 3.0  # the time for a process that listens, but answers wrongly
_GRACE_SECONDS = 0.5
_STOP_SECONDS = 3.0
_LAST_LINES = 15
_POLL_SECONDS = 0.02

# A gateway does not inherit these variables, because their values on this machine would change what
# scenarios see.
_NOT_INHERITED = frozenset(
    {
        "CALLBACK_URL",
        "HOST",
        "NODE_EXTRA_CA_CERTS",
        "NODE_TLS_REJECT_UNAUTHORIZED",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)


class GatewayFailed(Exception):
    """A gateway did not start, died, or does not answer like a gateway.

    Args:
        what: what happened, as a sentence without a period.
        command: the command that was started.
        output: the last lines of its output.
    """

    def __init__(self, what: str, command: str = "", output: str = "") -> None:
        lines = [f"{what}: {command}" if command else what]
        if output:
            lines += ["last output:", *(f"  {line}" for line in output.splitlines())]
        elif command:
            lines.append("there is no output")
        super().__init__("\n".join(lines))
        self.what = what
        self.command = command
        self.output = output


class GatewayProcess:
    """One gateway process, with its port and its output.

    Args:
        command: the command that starts it, as typed in a shell (no shell is used).
        callback_url: the CALLBACK_URL; None leaves it unset.
        heartbeat_seconds: the HEARTBEAT_INTERVAL_SECONDS.
        environment: further environment variables, or other values of these three.

    Call :meth:`start`, then :meth:`wait_ready`; always call :meth:`stop`.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        command: str,
        callback_url: str | None,
        heartbeat_seconds: int = 15,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = command
        self.port = free_port()
        self._environment = {
            name: value for name, value in os.environ.items() if name not in _NOT_INHERITED
        }
        self._environment["PORT"] = str(self.port)
        self._environment["HEARTBEAT_INTERVAL_SECONDS"] = str(heartbeat_seconds)
        if callback_url is not None:
            self._environment["CALLBACK_URL"] = callback_url
        self._environment.update(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._output_path = ""

    def sibling(self, environment: Mapping[str, str]) -> GatewayProcess:
        """Return another process of the same kind, with another port and some variables changed."""
        other = GatewayProcess(self.command, None)
        port = {"PORT": str(other.port)}
        other._environment = {**self._environment, **port, **environment}
        return other

    def start(self, terminal: str = "") -> None:
        """Start the process in its own process group.

        Args:
            terminal: the terminal at which the process starts; empty for none.

        Raises:
            GatewayFailed: the command does not exist.
        """
        # The output goes to a file, not to a pipe: a pipe that is not read would stop the gateway.
        handle, self._output_path = tempfile.mkstemp(prefix="gateway-", suffix=".log")
        try:
            words = shlex.split(self.command)
            if not words:
                raise ValueError("the command is empty")
            if terminal:  # the leader of a new session gets the first terminal that it opens
                words = ["/bin/sh", "-c", 'exec "$@" <"$0"', terminal, *words]
            self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
                words,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            raise GatewayFailed(f"the command does not start ({exc})", self.command) from exc
        finally:
            os.close(handle)

    @property
    def exit_status(self) -> int | None:
        """The exit status; None while the process runs; negative for the signal that ended it."""
        return None if self._process is None else self._process.poll()

    def last_output(self) -> str:
        """Return the last lines of output, standard output and standard error together."""
        try:
            with open(self._output_path, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 16384))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.rstrip().splitlines()[-_LAST_LINES:])

    def failed(self, what: str) -> GatewayFailed:
        """Return the error for something that the gateway did, with its last output."""
        return GatewayFailed(what, self.command, self.last_output())

    def check_alive(self) -> None:
        """Do nothing if the process runs.

        Raises:
            GatewayFailed: the process has ended.
        """
        status = self.exit_status
        if status is not None:
            raise self.failed(f"the gateway died ({_in_words(status)}) while it was in use")

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until ``/healthz`` answers as the contract requires.

        Raises:
            GatewayFailed: the process ended, does not answer, or answers something else.
        """
        deadline = time.monotonic() + seconds
        wrong: str | None = None
        while time.monotonic() < deadline:
            if (status := self.exit_status) is not None:
                raise self.failed(f"the gateway ended ({_in_words(status)}) before it was ready")
            answer = self._health()
            if answer == "":
                return
            if answer is not None and wrong is None:
                deadline = min(deadline, time.monotonic() + _WRONG_ANSWER_SECONDS)
            wrong = answer or wrong
            time.sleep(_POLL_SECONDS)
        if wrong is not None:
            raise self.failed(f"the program does not answer like a gateway ({wrong})")
        raise self.failed(
            f"the gateway was not ready within {seconds:g} s: nothing listens on its PORT"
        )

    def terminate(self) -> None:
        """Send SIGTERM to the process itself."""
        if self._process is not None:
            self._process.terminate()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself, if it has not ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> int | None:
        """Wait for the end; return the exit status, or None if the time is up first."""
        if self._process is None:
            return None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """End the process and everything that it has started; can be called twice."""
        if self._process is not None:
            # SIGTERM comes first, so that a wrapper can pass it on. The wait is short, because a
            # gateway may take ten seconds to end. The group outlives its leader, so SIGKILL ends
            # the children, too.
            for signal_number, seconds in (
                (signal.SIGTERM, _GRACE_SECONDS),
                (signal.SIGKILL, _STOP_SECONDS),
            ):
                self._signal_group(signal_number)
                self.wait(seconds)
            self._wait_port_free()
            self._process = None
        if self._output_path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._output_path)

    def kill(self) -> None:
        """Kill the process group at once; any thread may call this method.

        A thread that waits for the process continues. Call :meth:`stop` afterwards.
        """
        self._signal_group(signal.SIGKILL)

    # Private.

    def _signal_group(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)

    def _health(self) -> str | None:
        """Request ``/healthz``.

        Returns:
            None if nothing listens yet, an empty text if the gateway is healthy; otherwise what is
            wrong.
        """
        try:
            connection = ProbeConnection(self.host, self.port)
        except OSError:
            return None
        try:
            connection.write(request_bytes("GET", "/healthz", [("Host", "gw.example")]))
            head = connection.read_head(_WRONG_ANSWER_SECONDS)
            connection.read_to_end(_WRONG_ANSWER_SECONDS)
        except NotHttp as exc:
            return f"GET /healthz: {exc}"
        except OSError as exc:
            return f"GET /healthz: {exc}"
        finally:
            connection.close()
        body = bytes(connection.body)
        if head.status == 200 and _json_or_none(body) == {"status": "ok"}:
            return ""
        return f"GET /healthz answers {head.status} {body[:80]!r}"

    def _wait_port_free(self) -> None:
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.host, self.port))
                except OSError:
                    time.sleep(_POLL_SECONDS)
                else:
                    return


def _json_or_none(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _in_words(status: int) -> str:
    if status < 0:
        return f"by {signal.Signals(-status).name}"
    return f"exit status {status}"
