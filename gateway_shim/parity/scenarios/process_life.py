"""Scenarios about a gateway's process: its addresses, and signals at any instant of its start."""

from __future__ import annotations

from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import Interrupt, ListensOn

__all__ = ["PROCESS_LIFE"]

_ADDRESSES = ("127.0.0.1", "127.0.0.2", "::1")

_INSTANTS: tuple[tuple[str, str, float], ...] = (
    ("SIGTERM", "start", 0.3),
    ("SIGTERM", "port", 0.0),
    ("SIGTERM", "port", 0.15),
    ("SIGTERM", "health", 0.0),
    # SIGINT comes after the port is open, because during Python's own start it has another status.
    ("SIGINT", "port", 0.02),
    ("SIGQUIT", "health", 0.0),
    ("SIGHUP", "start", 0.1),
)


def _signal_scenario(
    signal: str, since: str, after: float, name: str = "signals", within: float = 10.0
) -> Scenario:
    case = f"{signal} {after:g} s after {since}"
    return Scenario(
        name,
        (Interrupt(signal, since, after, within),),
        {"case": case, "process": "$value:end"},
        case=case,
        process=Process(start=False),
        seconds=1.0,
    )


def _address_scenario(name: str, case: str, environment: dict[str, str]) -> Scenario:
    return Scenario(
        name,
        (ListensOn(_ADDRESSES),),
        {"case": case, "addresses": "$value:listens_on"},
        case=case,
        process=Process(environment=environment),
        seconds=0.5,
    )


PROCESS_LIFE = (
    _address_scenario("divergence_10", "default", {}),
    _address_scenario("listens_on", "HOST=::", {"HOST": "::"}),
    _address_scenario("divergence_10", "HOST=0.0.0.0", {"HOST": "0.0.0.0"}),
    *(_signal_scenario(signal, since, after) for signal, since, after in _INSTANTS),
    _signal_scenario("SIGHUP", "health", 0.0, "divergence_18", 1.0),
    Scenario(
        "signals",
        (Interrupt("SIGHUP", "health", terminal=True),),
        {"case": "its terminal is closed", "process": "$value:end"},
        case="its terminal is closed",
        process=Process(start=False),
        seconds=1.0,
    ),
)
"""The scenarios about a gateway's process."""
