"""The requests that this process has refused, counted by reason."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

__all__ = ["RefusalCounts", "RefusalReason"]


class RefusalReason(StrEnum):
    """The reasons for refusals; the label ``reason`` of ``requests_refused_total``."""

    STREAM_LIMIT = "stream_limit"
    """The limit on all streams, or on the streams of one address, is reached."""

    PENDING_CONNECTS = "pending_connects"
    """The limit on connects that wait for the backend, of all or of one address, is reached."""

    ANOTHER_USER = "another_user"
    """The request id belongs to a stream of another user."""

    TASK_LINE = "task_line"
    """The limit on waiting tasks is reached."""

    TASK_LINE_BYTES = "task_line_bytes"
    """The limit on the size of the parameters of all waiting tasks is reached."""

    TASKS_PER_ADDRESS = "tasks_per_address"
    """The limit on unfinished tasks of one address is reached."""

    CONNECTIONS = "connections"
    """A connection was closed before its request had arrived, because there were too many."""

    CONNECTIONS_PER_ADDRESS = "connections_per_address"
    """A connection was closed before its request had arrived, because its address had too many."""

    SLOW_HEAD = "slow_head"
    """The head of a request did not arrive in time, or nothing arrived at all."""

    BAD_REQUEST = "bad_request"
    """The request could not be read: not HTTP, a head that is too large, an incomplete body."""

    BODY_TOO_LARGE = "body_too_large"
    """The body is larger than the request's path allows."""

    BODY_TIMEOUT = "body_timeout"
    """The body did not arrive in time."""

    BODIES_LIMIT = "bodies_limit"
    """The limit on the memory of all bodies together is reached."""

    SLOW_READER = "slow_reader"
    """The client did not read its answer in time."""

    ANSWERS_LIMIT = "answers_limit"
    """The limit on the memory of all answers that wait for their clients is reached."""

    CROSS_SITE = "cross_site"
    """A page whose origin is not in CORS_ORIGINS asked for a stream or a write."""

    HOST_NOT_ALLOWED = "host_not_allowed"
    """The Host header names neither this machine nor one of ALLOWED_HOSTS."""

    NOT_JSON = "not_json"
    """A write had a body whose Content-Type is not JSON."""

    NOT_OPEN = "not_open"
    """The tasks API, the metrics or the console are not served at the address of the request."""

    SIGN_IN = "sign_in"
    """A wrong password for the console, or a try after too many wrong ones."""

    CALLBACK_NOT_ALLOWED = "callback_not_allowed"
    """A callback without the secret named a stream of the gateway in this process."""


class RefusalCounts:
    """The number of refusals by reason. A process has one object, used in the hub's thread.

    Attributes:
        by_reason: the number of refusals; every reason is there from the start.
    """

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter({reason.value: 0 for reason in RefusalReason})

    def add(self, reason: RefusalReason) -> None:
        """Count one refusal."""
        self.by_reason[reason.value] += 1
