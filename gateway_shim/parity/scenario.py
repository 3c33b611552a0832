"""A scenario as data: what a backend answers, what clients and senders do, what is looked at.

A scenario's ``observe`` is a template of the recording's own shape. In it, a string such as
``$body:s`` stands for something that was seen (here the body of the stream ``s``); all else
stands for itself. :mod:`gateway_shim.parity.play.player` plays scenarios.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway_shim.parity.steps import Step

__all__ = ["Process", "Scenario"]


@dataclass(frozen=True, slots=True)
class Process:
    """A gateway process of the scenario's own.

    Args:
        callback: ``stub``, ``refused``, ``unknown host`` or ``none``; or its CALLBACK_URL,
            ``$PORT`` being the stub backend's port.
        heartbeat_seconds: its HEARTBEAT_INTERVAL_SECONDS.
        environment: more environment; ``$CA`` is the file of the stub backend's authority.
        start: whether a gateway is started before the first step.
        backend: the loopback address on which the stub backend listens.
        tls: whether the stub backend speaks TLS, with a certificate that nobody trusts.
    """

    callback: str = "stub"
    heartbeat_seconds: int = 15
    environment: Mapping[str, str] = field(default_factory=dict)
    start: bool = True
    backend: str = "127.0.0.1"
    tls: bool = False

    @property
    def is_odd(self) -> bool:
        """Whether a good gateway may refuse to start like this: then that is what is seen."""
        return bool(self.environment) or "$PORT" in self.callback


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing to find out about a gateway.

    Args:
        name: the recording's key.
        case: its entry there, where the recording's value is a list; else empty.
        steps: what happens, in order.
        observe: the template of what is seen.
        process: the process it needs for itself; None: any will do.
        seconds: about how long it takes, so that long ones can start first.
        settle_seconds: how long callbacks that must not come are given to come.
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
        """Name and case, as reports show it."""
        return f"{self.name}/{self.case}" if self.case else self.name
