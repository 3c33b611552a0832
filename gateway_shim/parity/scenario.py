"""Scenarios as data: what the backend answers, what clients and senders do, what is observed.

A scenario's ``observe`` is a template that has the shape of the recording's entry. In it, a string
such as ``$body:s`` is a placeholder for something that was seen (here the body of the stream
``s``); everything else stands for itself. :mod:`gateway_shim.parity.play.placeholders` has the
placeholders, and :mod:`gateway_shim.parity.play.player` plays scenarios.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway_shim.parity.steps import Step

__all__ = ["Process", "Scenario"]


@dataclass(frozen=True, slots=True)
class Process:
    """A gateway process that belongs to one scenario.

    Args:
        callback: ``stub``, ``refused``, ``unknown host`` or ``none``; or the CALLBACK_URL itself,
            in which ``$PORT`` is the stub backend's port.
        heartbeat_seconds: the HEARTBEAT_INTERVAL_SECONDS.
        environment: further environment variables; ``$CA`` is the certificate file of the stub
            backend's authority.
        start: whether the gateway is started before the first step.
        backend: the loopback address on which the stub backend listens.
        tls: whether the stub backend speaks TLS, with a certificate of the kit's own authority.
        alone: whether nothing else is played at the same time, because the kit itself must be fast.
    """

    callback: str = "stub"
    heartbeat_seconds: int = 15
    environment: Mapping[str, str] = field(default_factory=dict)
    start: bool = True
    backend: str = "127.0.0.1"
    tls: bool = False
    alone: bool = False

    @property
    def may_refuse_to_start(self) -> bool:
        """True if a correct gateway may refuse to start like this; the refusal is then recorded."""
        return bool(self.environment) or "$PORT" in self.callback


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question about a gateway's behavior.

    Args:
        name: the key in the recording.
        case: the entry under that key, if the recording's value is a list; otherwise empty.
        steps: what happens, in order.
        observe: the template of what is seen.
        process: the process that the scenario needs; None if it can share one.
        seconds: the approximate duration, so that long scenarios can start first.
        settle_seconds: the time that unwanted callbacks have to arrive.
    """

    name: str
    steps: tuple[Step, ...]
    observe: Any
    case: str = ""
    process: Process | None = None
    seconds: float = 0.0
    settle_seconds: float = 0.03

    @property
    def id(self) -> str:
        """The name and the case, as reports show them."""
        return f"{self.name}/{self.case}" if self.case else self.name
