"""The services that send events; each has its own label in the metrics."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

from gateway_shim.log_lines.safe_text import text_of

__all__ = ["ServiceType"]


class ServiceType(StrEnum):
    """The service that sends an event: the ``service`` label of the metrics."""

    TASK = "task"
    VERSION = "version"
    OPERATIONS = "operations"
    CONSOLE = "console"
    """A person, on the console's page of events."""

    @property
    def sends_state(self) -> bool:
        """True if an event for one stream is the state of this stream, and is not replayed.

        Each connect sends the newest version, so no stream has to be sent an earlier one. The
        figures of the operations page are loaded when the page is opened.
        """
        return self in (ServiceType.VERSION, ServiceType.OPERATIONS)

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        allowed = ", ".join(member.value for member in cls)
        raise ValueError(f"service_type is {text_of(value)}; allowed: {allowed}")
