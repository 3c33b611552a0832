"""Steps about a gateway's process, as data: signals, and the addresses where it listens."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Interrupt", "ListensOn"]


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Start a gateway and send it a signal; the value is ``NAME``.

    The value is ``ended`` if the process ended with the exit status 0 or with that of the signal,
    ``exit status N`` if it ended otherwise, and ``still there`` if it did not end.

    Args:
        signal: the signal's name, such as ``SIGTERM``.
        since: what happens before the wait of ``after``: ``start`` (nothing), ``port`` (the gateway
            listens) or ``health`` (``/healthz`` answers).
        after: the time between that and the signal, seconds.
        within: the time that the process has to end, seconds; the step ends as soon as the process
            ends.
        name: the name of the value in the scenario.
        terminal: whether the process is started at its own terminal, which is then closed instead;
            in this case the kernel sends the signal, which must be ``SIGHUP``.
    """

    signal: str
    since: str = "start"
    after: float = 0.0
    within: float = 10.0
    name: str = "end"
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class ListensOn:
    """Request ``/healthz`` at several addresses of this machine; the value is ``NAME``.

    Args:
        addresses: the addresses; the value says for each whether a gateway answers there.
        name: the name of the value in the scenario.
    """

    addresses: tuple[str, ...]
    name: str = "listens_on"
