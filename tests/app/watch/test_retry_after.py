"""The times of ``Retry-After``."""

from __future__ import annotations

import pytest

from app.watch.retry_after import MAX_RETRY_AFTER_SECONDS, retry_after_seconds

NOW = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the date of the standard's examples."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (" 007 ", 7.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10.0),
        ("Sun Nov  6 08:49:47 1994", 10.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        ("Sun, 06 Nov 2094 08:49:37 GMT", MAX_RETRY_AFTER_SECONDS),
        ("86401", MAX_RETRY_AFTER_SECONDS),
        ("9" * 5000, MAX_RETRY_AFTER_SECONDS),
        ("0" * 5000 + "3", 3.0),
    ],
)
def test_seconds(value: str, seconds: float) -> None:
    """A value is seconds or a date in one of three forms, and the wait is bounded."""
    assert retry_after_seconds({"Retry-After": value}, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-1",
        "+1",
        "1.5",
        "\u0661",
        "\xb2",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 99:49:37 GMT",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        "Sun, 06 Nov " + "9" * 5000 + " 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +99999999999999",
        ",",
        "\0",
    ],
)
def test_malformed(value: str) -> None:
    """A malformed value is ignored."""
    assert retry_after_seconds({"Retry-After": value}, NOW) is None


def test_missing() -> None:
    """An answer without the header asks for no wait."""
    assert retry_after_seconds({}, NOW) is None


@pytest.mark.parametrize("now", [0.0, NOW, 2 * NOW])
def test_the_servers_own_clock_counts(now: float) -> None:
    """If the answer has a date, our clock does not matter."""
    headers = {
        "Retry-After": "Sun, 06 Nov 1994 08:50:00 GMT",
        "Date": "Sun, 06 Nov 1994 08:49:30 GMT",
    }
    assert retry_after_seconds(headers, now) == 30.0
