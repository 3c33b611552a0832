"""What a run is about: a command that starts gateways, or one gateway that runs already."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from gateway_shim.parity.launcher import GatewayFailed, GatewayProcess
from gateway_shim.parity.ports import free_port
from gateway_shim.parity.probe import PATIENCE
from gateway_shim.parity.scenario import Process
from gateway_shim.parity.stage import Stage
from gateway_shim.parity.stub_backend import StubBackend

__all__ = ["Command", "Target", "Url"]

_UNKNOWN_HOST = "http://gateway-parity.invalid/callback"


class Target(Protocol):
    """Where scenarios can be played.

    ``stage`` gives a stage of its own to each caller, from any thread, and takes it down after
    the ``with`` block; it raises :class:`GatewayFailed` if there is no gateway to be had.
    """

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def stages_at_once(self) -> int:
        """How many shared stages may be up side by side."""
        ...

    @property
    def own_processes(self) -> bool:
        """Whether a stage's gateway can be started as a scenario needs it."""
        ...

    def stage(self, process: Process) -> contextlib.AbstractContextManager[Stage]:
        """A stage whose gateway was started as the process says."""
        ...


@dataclass(frozen=True)
class Command:
    """Starts a gateway for each stage.

    Args:
        command: how, as typed in a shell.
        environment: more environment for it.
        stages_at_once: how many shared gateways play side by side.
        patience: how long to wait for what must happen, seconds.
    """

    command: str
    environment: tuple[tuple[str, str], ...] = ()
    stages_at_once: int = 4
    patience: float = PATIENCE
    own_processes: bool = True

    @property
    def name(self) -> str:
        """The command."""
        return self.command

    @contextlib.contextmanager
    def stage(self, process: Process) -> Iterator[Stage]:
        """A gateway process and its stub backend; both are stopped after the block.

        Raises:
            GatewayFailed: it does not start or does not become ready.
        """
        with contextlib.ExitStack() as stack:
            backend = StubBackend()
            stack.callback(backend.stop)
            url: str | None = backend.url
            if process.callback == "none":
                url = None
            elif process.callback == "unknown host":
                url = _UNKNOWN_HOST
            elif process.callback == "refused":
                url = f"http://127.0.0.1:{_refusing_port(stack)}/callback"
            gateway = GatewayProcess(
                self.command,
                url,
                process.heartbeat_seconds,
                {**dict(self.environment), **process.environment},
            )
            stack.callback(gateway.stop)
            if process.start:
                gateway.start()
                gateway.wait_ready()
            yield Stage(gateway.host, gateway.port, backend, gateway, self.patience)


@dataclass(frozen=True)
class Url:
    """A gateway that runs already; its CALLBACK_URL must be :attr:`callback_url`.

    Args:
        url: its base URL, ``http://host:port``.
        callback_port: where the stub backend listens.
    """

    url: str
    callback_port: int
    stages_at_once: int = 1
    own_processes: bool = False

    @property
    def name(self) -> str:
        """The URL."""
        return self.url

    @contextlib.contextmanager
    def stage(self, process: Process) -> Iterator[Stage]:
        """The gateway, with a stub backend on the callback port.

        Raises:
            GatewayFailed: nobody listens there, or the callback port is taken.
        """
        parts = urlsplit(self.url)
        try:
            host, port = parts.hostname or "", parts.port or 80
        except ValueError as exc:
            raise GatewayFailed(f"{self.url} is no URL of a gateway ({exc})") from exc
        if parts.scheme != "http" or not host:
            raise GatewayFailed(f"{self.url} is no URL of a gateway: http://host:port is expected")
        try:
            backend = StubBackend(self.callback_port)
        except OSError as exc:
            raise GatewayFailed(f"the callback port {self.callback_port} is taken: {exc}") from exc
        try:
            socket.create_connection((host, port), 3).close()
            yield Stage(host, port, backend, None)
        except OSError as exc:
            raise GatewayFailed(f"no gateway answers at {self.url}: {exc}") from exc
        finally:
            backend.stop()


def _refusing_port(stack: contextlib.ExitStack) -> int:
    """A port that refuses: bound, so that nobody else gets it, and not listened on."""
    bound = stack.enter_context(socket.socket())
    port = free_port()
    bound.bind(("127.0.0.1", port))
    return port
