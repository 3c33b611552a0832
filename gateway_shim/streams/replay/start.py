"""The start of a stream in the log, as the browser's request says. Pure."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.protocol.stream_request import StreamRequest

__all__ = ["CURSOR_PARAMETER", "RequestedCursor", "Start", "requested_cursor"]

CURSOR_PARAMETER = "last_event_id"
"""The query parameter with a cursor, for a page that has just read a state with its cursor."""

_OTHER_PARAMETER = "lastEventId"
"""The one that the packages reconnecting-eventsource and event-source-polyfill send."""

_PARAMETERS = (CURSOR_PARAMETER, _OTHER_PARAMETER)

_HEADER = "last-event-id"


class Start(NamedTuple):
    """The start of a stream, decided before its backend is asked.

    Args:
        epoch: the log's epoch.
        position: the position; the entries after it are the stream's.
        resync: the reason why the stream cannot start where the browser asked; None if it can.
    """

    epoch: str
    position: int
    resync: str | None = None


class RequestedCursor(NamedTuple):
    """The cursor that a request names.

    Args:
        text: the text; empty if there is none.
        cursor: the cursor; None if the text is not a cursor.
    """

    text: str
    cursor: Cursor | None


def requested_cursor(request: StreamRequest) -> RequestedCursor:
    """Return the cursor that a request names in ``Last-Event-ID``, or else in its query.

    A browser that reconnects repeats the query of the page's first request. So the header, which
    is newer, comes first.
    """
    text = request.headers.get(_HEADER, "")
    if isinstance(text, list):
        text = text[0] if text else ""
    if not text and (CURSOR_PARAMETER in request.url or _OTHER_PARAMETER in request.url):
        query = request.url.partition("#")[0].partition("?")[2]
        found = (value for name, value in parse_qsl(query) if name in _PARAMETERS)
        text = next(found, "")
    return RequestedCursor(text, Cursor.parse(text))
