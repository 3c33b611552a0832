"""``Retry-After``: when a server wants to be asked again (RFC 9110, section 10.2.3). Pure."""

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
        headers: those of an answer, to be found by name in any case.
        now: seconds since the epoch. It is used for a date if the answer has no ``Date``: the
            server's two dates are of one clock, which ours need not agree with.

    Returns:
        Seconds, 0 to ``MAX_RETRY_AFTER_SECONDS``; None if the header is missing or malformed.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        digits = value.lstrip("0") or "0"
        # int refuses thousands of digits.
        seconds = float(digits) if len(digits) < 10 else MAX_RETRY_AFTER_SECONDS
    else:
        then = _timestamp(value)
        if then is None:
            return None
        sent = _timestamp(headers.get("Date", ""))
        seconds = then - (now if sent is None else sent)
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _timestamp(date: str) -> float | None:
    """An HTTP date as seconds since the epoch; None if it is none."""
    try:
        moment = parsedate_to_datetime(date)
        if moment.tzinfo is None:  # an asctime date, which is always UTC
            moment = moment.replace(tzinfo=UTC)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
