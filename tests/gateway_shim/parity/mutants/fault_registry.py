"""The registry in which each module of faults collects its faults."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Fault", "FaultRegistry"]

Fault = Callable[[], None]
"""A function that changes the shim in the running process."""


class FaultRegistry(dict[str, Fault]):
    """Faults by the names of their functions."""

    def add(self, fault: Fault) -> Fault:
        """Register a fault under the name of its function; usable as a decorator."""
        self[fault.__name__] = fault
        return fault
