"""The rules about streams and about what they get."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.console.operations.advising import advise
from app.console.operations.limits import OperationsLimits
from tests.app.console.operations.samples import LIMITS, series


def texts(limits: OperationsLimits = LIMITS, /, **changes: Any) -> list[str]:
    """Return the advice after ten ordinary minutes, and one sample with changes."""
    return [f"{advice.level}: {advice.text}" for advice in advise(series(600, **changes), limits)]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"gateway_problem": "The gateway cannot be reached", "gateway": None},
            "bad: The gateway cannot be reached. Until it is ready, events do not reach the"
            " browsers.",
        ),
        (
            {"gateway_problem": "Redis does not answer"},
            "bad: Redis does not answer. Until it is ready, new events fail, and those of other"
            " servers do not arrive; streams stay open. The server's log has the reason.",
        ),
        (
            {"appends_failed": 1},
            "bad: 1 event was lost in the last five minutes, because the event log did not take it."
            " The server's log has the reason.",
        ),
        (
            {"appends_failed": 2},
            "bad: 2 events were lost in the last five minutes, because the event log did not take"
            " them. The server's log has the reason.",
        ),
        (
            {"streams": 950},
            "warning: 950 streams are open, which is 95% of the limit of 1,000. Beyond the limit,"
            " streams are refused. Raise SSE_MAX_CONNECTIONS and the limit on file descriptors.",
        ),
        (
            {"streams": 1000},
            "bad: 1,000 streams are open, which is 100% of the limit of 1,000. Further streams are"
            " refused. Raise SSE_MAX_CONNECTIONS and the limit on file descriptors.",
        ),
        (
            {"resyncs": 12},
            "warning: 12 streams were told to resync in the last minute: events that they had"
            " missed were no longer in the log.",
        ),
        (
            {"streams_far_behind": 3, "bytes_behind": 3_600_000},
            "warning: 3 streams are more than 1 MiB behind, at most 3.4 MiB. Their clients read too"
            " slowly, or not at all.",
        ),
        (
            {"streams_far_behind": 1, "bytes_behind": 2 << 20},
            "warning: 1 stream is more than 1 MiB behind, at most 2 MiB. Its client reads too"
            " slowly, or not at all.",
        ),
        (
            {"slow_consumers_ended": 1},
            "warning: 1 stream was ended in the last minute, because too much was waiting for a"
            " slow client. See SSE_MAX_BUFFER_BYTES.",
        ),
        (
            {"bytes_buffered": 90 << 20},
            "warning: 90 MiB wait for slow clients; the limit is 100 MiB"
            " (SSE_MAX_TOTAL_BUFFER_BYTES). Beyond it, the streams for which most is waiting are"
            " ended.",
        ),
        (
            {"callbacks_failed": 4},
            "warning: 4 disconnects could not be reported in the last five minutes. The server's"
            " log has the reason.",
        ),
    ],
)
def test_a_warning(changes: dict[str, Any], text: str) -> None:
    """A figure that should be looked at is one warning, with its number."""
    assert texts(**changes) == [text]


@pytest.mark.parametrize(
    "changes",
    [
        {"streams": 899},
        {"streams_behind": 5, "bytes_behind": 1000},
        {"bytes_buffered": 80 << 20},
    ],
)
def test_no_warning(changes: dict[str, Any]) -> None:
    """An ordinary figure is no warning."""
    assert texts(**changes) == []


def test_an_unlimited_number_of_streams() -> None:
    """Without a limit of streams there is no warning of it."""
    assert texts(replace(LIMITS, max_streams=None), streams=10**6) == []
