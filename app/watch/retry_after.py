"""Parse the header ``Retry-After`` (RFC 9110, section 10.2.3). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["MAX_RETRY_AFTER_SECONDS", "retry_after_seconds"]

MAX_RETRY_AFTER_SECONDS = 86_400.0
"""The longest wait that is read from the header; a longer one counts as this one."""


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long a server asks its client to wait.

    Args:
        headers: the headers of an answer; lookup by name must ignore case.
        now: seconds since the epoch. A date in ``Retry-After`` is compared with the answer's own
            ``Date``, because both come from the server's clock, which may differ from ours. ``now``
            is used only if the answer has no ``Date``.

    Returns:
        Seconds, 0 to ``MAX_RETRY_AFTER_SECONDS``; None if the header is missing or malformed.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        digits = value.lstrip("0") or "0"
        # int() refuses strings of thousands of digits.
        seconds = float(digits) if len(digits) < 10 else MAX_RETRY_AFTER_SECONDS
    else:
        then = _timestamp(value)
        if then is None:
            return None
        sent = _timestamp(headers.get("Date", ""))
        seconds = then - (now if sent is None else sent)
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _timestamp(date: str) -> float | None:
    """Parse an HTTP date to seconds since the epoch; return None if it is malformed."""
    try:
        moment = parsedate_to_datetime(date)
        if moment.tzinfo is None:  # a date in asctime format, which is always UTC
            moment = moment.replace(tzinfo=UTC)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
