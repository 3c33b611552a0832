"""What a run is about: a command that starts gateways, or one gateway that runs already."""

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
"""Key and certificate of a stub backend that speaks TLS.

They are the same everywhere, for 127.0.0.1, ::1 and localhost, from 2020 to 2119, and prove
nothing to anyone: nobody has the authority's key any more.
"""

AUTHORITY = _CERTIFICATES / "authority.pem"
"""The authority's certificate: whoever trusts it trusts the stub backend."""

_UNKNOWN_HOST = "http://gateway-parity.invalid/callback"


class NotPlayable(Exception):
    """This machine lacks what a scenario needs, so that the scenario says nothing here."""


class Target(Protocol):
    """Where scenarios can be played.

    ``player`` gives a player of its own to each caller, from any thread, and takes it down after
    the ``with`` block; it raises :class:`GatewayFailed` if there is no gateway to be had.
    """

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def players_at_once(self) -> int:
        """How many shared players may be up side by side."""
        ...

    @property
    def starts_gateways(self) -> bool:
        """Whether a player's gateway can be started as a scenario needs it."""
        ...

    def player(self, process: Process) -> contextlib.AbstractContextManager[Player]:
        """A player whose gateway was started as the process says."""
        ...


@dataclass(frozen=True)
class Command:
    """Starts a gateway for each player.

    Args:
        command: how, as typed in a shell.
        environment: more environment for it.
        players_at_once: how many shared gateways play side by side.
        patience: how long to wait for what must happen, seconds.
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
        """A gateway process and its stub backend; both are stopped after the block.

        Raises:
            GatewayFailed: it does not start or does not become ready.
            NotPlayable: this machine has not the address that the process's backend needs.
        """
        with contextlib.ExitStack() as stack:
            try:
                certificate = CERTIFICATE if process.tls else None
                backend = StubBackend(host=process.backend, certificate=certificate)
            except OSError as exc:
                raise NotPlayable(f"nothing can listen on {process.backend}: {exc}") from exc
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
    """A gateway that runs already; its CALLBACK_URL must be :attr:`callback_url`.

    Args:
        url: its base URL, ``http://host:port``.
        callback_port: where the stub backend listens.
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
    """A port that refuses: bound, so that nobody else gets it, and not listened on."""
    bound = stack.enter_context(socket.socket())
    port = free_port()
    bound.bind(("127.0.0.1", port))
    return port
