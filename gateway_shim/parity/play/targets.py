"""The targets of a run: a command that starts gateways, or one gateway that runs already."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from gateway_shim.parity.play.launcher import GatewayFailed, GatewayProcess
from gateway_shim.parity.play.player import Player
from gateway_shim.parity.play.probe import PATIENCE
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.ports import free_port
from gateway_shim.parity.scenario import Process

__all__ = ["AUTHORITY", "CERTIFICATE", "Command", "NotPlayable", "Target", "Url"]

_CERTIFICATES = Path(__file__).parents[1] / "certificates"

CERTIFICATE = _CERTIFICATES / "backend.pem"
"""The key and certificate of a stub backend that speaks TLS.

The certificate is the same everywhere, valid for 127.0.0.1, ::1 and localhost from 2020 to 2119. It
proves nothing, and the key of its authority no longer exists.
"""

AUTHORITY = _CERTIFICATES / "authority.pem"
"""The authority's certificate; a client that trusts it trusts the stub backend."""

_UNKNOWN_HOST = "http://gateway-parity.invalid/callback"


class NotPlayable(Exception):
    """This machine lacks something that the scenario needs."""


class Target(Protocol):
    """A place where scenarios can be played.

    ``player`` gives each caller its own player, from any thread, and stops it after the ``with``
    block; it raises :class:`GatewayFailed` if no gateway is available.
    """

    @property
    def name(self) -> str:
        """The name in reports."""
        ...

    @property
    def players_at_once(self) -> int:
        """The largest number of shared players at the same time."""
        ...

    @property
    def starts_gateways(self) -> bool:
        """True if a gateway can be started as a scenario needs it."""
        ...

    def player(self, process: Process) -> contextlib.AbstractContextManager[Player]:
        """Provide a player whose gateway was started as the process requires."""
        ...


@dataclass(frozen=True)
class Command:
    """A command that starts a gateway for each player.

    Args:
        command: the command, as typed in a shell.
        environment: further environment variables.
        players_at_once: the largest number of shared gateways that play at the same time.
        patience: how long to wait for anything that must happen, seconds.
    """

    command: str
    environment: tuple[tuple[str, str], ...] = ()
    players_at_once: int = 4
    patience: float = PATIENCE
    starts_gateways: bool = True

    @property
    def name(self) -> str:
        """The command."""
        return self.command

    @contextlib.contextmanager
    def player(self, process: Process) -> Iterator[Player]:
        """Provide a player with a gateway process and a stub backend; stop both after the block.

        Raises:
            GatewayFailed: the gateway does not start or does not become ready.
            NotPlayable: this machine does not have the address that the process's backend needs.
        """
        with contextlib.ExitStack() as stack:
            try:
                certificate = CERTIFICATE if process.tls else None
                backend = StubBackend(host=process.backend, certificate=certificate)
            except OSError as exc:
                message = f"the stub backend cannot listen on {process.backend}: {exc}"
                raise NotPlayable(message) from exc
            stack.callback(backend.stop)
            environment = {
                name: value.replace("$CA", str(AUTHORITY))
                for name, value in process.environment.items()
            }
            gateway = GatewayProcess(
                self.command,
                _callback_url(process.callback, backend, stack),
                process.heartbeat_seconds,
                {**dict(self.environment), **environment},
            )
            stack.callback(gateway.stop)
            if process.start:
                gateway.start()
                gateway.wait_ready()
            yield Player(gateway.host, gateway.port, backend, gateway, self.patience)


@dataclass(frozen=True)
class Url:
    """A gateway that runs already, and whose CALLBACK_URL leads to the stub backend.

    Args:
        url: the base URL, ``http://host:port``.
        callback_port: the port where the stub backend listens.
    """

    url: str
    callback_port: int
    players_at_once: int = 1
    starts_gateways: bool = False

    @property
    def name(self) -> str:
        """The URL."""
        return self.url

    @contextlib.contextmanager
    def player(self, process: Process) -> Iterator[Player]:
        """Provide a player for the gateway, with a stub backend on the callback port.

        Raises:
            GatewayFailed: nothing listens at the URL, or the callback port is in use.
        """
        parts = urlsplit(self.url)
        try:
            host, port = parts.hostname or "", parts.port or 80
        except ValueError as exc:
            raise GatewayFailed(f"--url {self.url} is not a valid URL ({exc})") from exc
        if parts.scheme != "http" or not host:
            raise GatewayFailed(f"--url {self.url} is not valid; give http://host:port")
        try:
            backend = StubBackend(self.callback_port)
        except OSError as exc:
            message = f"the callback port {self.callback_port} cannot be used: {exc}"
            raise GatewayFailed(message) from exc
        try:
            socket.create_connection((host, port), 3).close()
            yield Player(host, port, backend, None)
        except OSError as exc:
            raise GatewayFailed(f"no gateway answers at {self.url}: {exc}") from exc
        finally:
            backend.stop()


def _callback_url(callback: str, backend: StubBackend, stack: contextlib.ExitStack) -> str | None:
    match callback:
        case "stub":
            return backend.url
        case "none":
            return None
        case "unknown host":
            return _UNKNOWN_HOST
        case "refused":
            return f"http://127.0.0.1:{_refusing_port(stack)}/callback"
    return callback.replace("$PORT", str(backend.port))


def _refusing_port(stack: contextlib.ExitStack) -> int:
    """Return a port that refuses connections: it is reserved, but nothing listens on it."""
    bound = stack.enter_context(socket.socket())
    port = free_port()
    bound.bind(("127.0.0.1", port))
    return port
