"""What this process has refused to its clients, counted by reason."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

__all__ = ["RefusalCounts", "RefusalReason"]


class RefusalReason(StrEnum):
    """Why a client did not get what it asked for; the ``reason`` of ``requests_refused_total``."""

    STREAM_LIMIT = "stream_limit"
    """As many streams are open as may be, of all clients or of this address."""

    PENDING_CONNECTS = "pending_connects"
    """As many connects wait for the backend's answer as may, of all clients or of this address."""

    ANOTHER_USER = "another_user"
    """The request id belongs to a stream of another user."""

    TASK_LINE = "task_line"
    """As many tasks wait as may wait."""

    TASK_LINE_BYTES = "task_line_bytes"
    """The parameters of all waiting tasks are as large as they may be."""

    TASKS_PER_ADDRESS = "tasks_per_address"
    """As many tasks of this address are unfinished as may be."""

    CONNECTIONS = "connections"
    """A connection was closed before its request had come, because there were too many."""

    CONNECTIONS_PER_ADDRESS = "connections_per_address"
    """The same, because there were too many of its address."""

    SLOW_HEAD = "slow_head"
    """The head of a request did not come in time, or nothing came at all."""

    BAD_REQUEST = "bad_request"
    """The request could not be read: no HTTP, a head that is too large, a body that breaks off."""

    BODY_TOO_LARGE = "body_too_large"
    """The body is larger than the request's path allows."""

    BODY_TIMEOUT = "body_timeout"
    """The body did not arrive in time."""

    BODIES_LIMIT = "bodies_limit"
    """All bodies together hold as much memory as they may."""

    SLOW_READER = "slow_reader"
    """The client did not take its answer in time."""

    ANSWERS_LIMIT = "answers_limit"
    """All answers that wait for their clients hold as much memory as they may."""

    CROSS_SITE = "cross_site"
    """A page whose origin is not in CORS_ORIGINS wanted a stream or a write."""

    HOST_NOT_ALLOWED = "host_not_allowed"
    """The Host header names neither this machine nor one of ALLOWED_HOSTS."""

    NOT_JSON = "not_json"
    """A write had a body whose Content-Type is not JSON."""

    NOT_OPEN = "not_open"
    """The tasks API or the metrics are not served at the address that was asked."""

    CALLBACK_NOT_ALLOWED = "callback_not_allowed"
    """A callback without the secret was about a stream of the gateway in this process."""


class RefusalCounts:
    """Counts refusals. One object for a process; used in the hub's thread."""

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter({reason.value: 0 for reason in RefusalReason})

    def add(self, reason: RefusalReason) -> None:
        """Count one refusal."""
        self.by_reason[reason.value] += 1
