"""Steps about a gateway's process: where it listens, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Interrupt", "ListensOn"]


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Start a gateway and send it a signal; the value is ``NAME``.

    The value is ``ended`` if the signal ended the process, with the exit status 0 or that of the
    signal; ``exit status N`` if it ended otherwise; ``still there`` if it did not end at all.

    Args:
        signal: the signal's name, such as ``SIGTERM``.
        since: what is waited for first: ``start`` (nothing), ``port`` (somebody listens) or
            ``health`` (``/healthz`` answers).
        after: how long after that the signal is sent, seconds.
        within: how long the process has to end, seconds; one that ends at once costs no more.
        name: what the scenario calls the value.
        terminal: whether the process is started at a terminal of its own, which is closed instead:
            then the kernel sends the signal, which must be ``SIGHUP``.
    """

    signal: str
    since: str = "start"
    after: float = 0.0
    within: float = 10.0
    name: str = "end"
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class ListensOn:
    """Ask for ``/healthz`` at addresses of this machine; the value is ``NAME``.

    Args:
        addresses: the addresses; the value says for each whether a gateway answers there.
        name: what the scenario calls the value.
    """

    addresses: tuple[str, ...]
    name: str = "listens_on"
