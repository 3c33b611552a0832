"""The table of streams: one row for each stream, of which a page is found, sorted and cut out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from app.services.callback_handler import request_id_of
from app.services.connections.registered import Registered
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.streams.gateway import Gateway

__all__ = [
    "PAGE_ROWS",
    "Page",
    "Row",
    "Sort",
    "in_order",
    "local_rows",
    "matching",
    "page_of",
    "remote_rows",
    "sort_key",
]

T = TypeVar("T")

PAGE_ROWS = 100
"""The number of rows of a page."""


class Row(NamedTuple):
    """One stream. A value is None if this process does not know it.

    Args:
        token: the gateway's name for the stream.
        request_id: the browser's name for the stream.
        address: the client's address.
        state: ``connecting``, ``open``, ``behind`` or ``closing``; ``registered`` if a gateway
            elsewhere has the stream.
        age: the seconds since the stream was registered.
        events: the events that were sent (:class:`gateway_shim.streams.reading.listing.StreamInfo`
            describes how exact this and the following values are).
        bytes: the bytes of these events.
        events_behind: the events of the log that follow the stream's place.
        bytes_behind: the bytes that wait for the client.
        worker: the number of the worker that has the stream; None if there are no others.
        server: the name of the worker's server; None if there are no other servers.
    """

    token: str
    request_id: str
    address: str | None
    state: str
    age: float | None
    events: int | None = None
    bytes: int | None = None
    events_behind: int | None = None
    bytes_behind: int | None = None
    worker: int | None = None
    server: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the row as the page gets it."""
        values = self._asdict()
        for name in ("worker", "server"):
            if values[name] is None:
                del values[name]
        return values


class Sort(StrEnum):
    """The columns by which the table can be sorted."""

    AGE = "age"
    EVENTS = "events"
    BYTES = "bytes"
    BEHIND = "behind"
    REQUEST_ID = "request_id"
    ADDRESS = "address"


_KEYS: dict[Sort, Callable[[Row], str | float | None]] = {
    Sort.AGE: lambda row: row.age,
    Sort.EVENTS: lambda row: row.events,
    Sort.BYTES: lambda row: row.bytes,
    Sort.BEHIND: lambda row: row.bytes_behind,
    Sort.REQUEST_ID: lambda row: row.request_id,
    Sort.ADDRESS: lambda row: row.address,
}


class Page(NamedTuple):
    """One page of the table.

    Args:
        rows: the rows.
        page: the number of the page, from 1.
        pages: the number of pages, at least 1.
        found: the number of streams that the search has found.
        total: the number of all streams.
        is_complete: False if a process has not answered, so that its streams are missing.
    """

    rows: list[Row]
    page: int
    pages: int
    found: int
    total: int
    is_complete: bool = True


def local_rows(
    gateway: Gateway,
    registered: Iterable[tuple[str, Registered]],
    now: float,
    worker: int | None = None,
    server: str | None = None,
) -> list[Row]:
    """Return a row for each stream of the gateway in this process. Other greenlets run meanwhile.

    Args:
        gateway: the gateway.
        registered: the request ids of all streams, and what is known of each.
        now: the time, monotonic seconds.
        worker: the number of this worker; None if there are no others.
        server: the name of this server; None if there are no others.
    """
    known = {stream.token: (request_id, stream.since) for request_id, stream in registered}
    rows = []
    for info in gateway.list_streams():
        # A stream is registered while its connect is handled, and until its end is handled.
        request_id, since = known.get(info.token) or (request_id_of(info.url), None)
        rows.append(
            Row(
                info.token,
                request_id,
                info.address or None,
                info.condition.value,
                None if since is None else max(now - since, 0.0),
                info.events,
                info.sent,
                info.events_behind,
                info.bytes_behind,
                worker,
                server,
            )
        )
        let_others_run_if_due()
    return rows


def remote_rows(registered: Iterable[tuple[str, Registered]], now: float) -> list[Row]:
    """Return a row for each stream of a gateway elsewhere, with what this process knows.

    Args:
        registered: the request ids of all streams, and what is known of each.
        now: the time, monotonic seconds.
    """
    return [
        Row(stream.token, request_id, None, "registered", max(now - stream.since, 0.0))
        for request_id, stream in registered
    ]


def page_of(rows: list[Row], find: str, sort: Sort, page: int, *, descending: bool) -> Page:
    """Return one page of the table. Other greenlets run meanwhile.

    Args:
        rows: all rows.
        find: the text that the request id, the address or the token must contain, in any case.
        sort: the column to sort by. A row without a value comes last in either order.
        page: the number of the page. Beyond the last page, it is the last page.
        descending: True for the largest value first.
    """
    total = len(rows)
    rows = in_order(matching(rows, find), _KEYS[sort], descending=descending)
    pages = max(math.ceil(len(rows) / PAGE_ROWS), 1)
    page = min(page, pages)
    shown = rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    return Page(shown, page, pages, len(rows), total)


def sort_key(sort: Sort) -> Callable[[Row], str | float | None]:
    """Return the function that reads the value of a column."""
    return _KEYS[sort]


def in_order(
    items: Iterable[T], key: Callable[[T], str | float | None], *, descending: bool
) -> list[T]:
    """Sort rows, or what stands for rows. Rows with the same value keep their order.

    Args:
        items: the rows.
        key: returns the value to sort by. A row without a value comes last in either order.
        descending: True for the largest value first.
    """
    with_value: list[T] = []
    without: list[T] = []
    for item in items:
        (without if key(item) is None else with_value).append(item)
    with_value.sort(key=key, reverse=descending)  # type: ignore[arg-type]  # no None is left
    return with_value + without


def matching(rows: list[Row], find: str) -> list[Row]:
    """Return the rows whose request id, address or token contains a text, in any case.

    Other greenlets run meanwhile.
    """
    if not find:
        return rows
    found, text = [], find.casefold()
    for row in rows:
        if text in f"{row.request_id}\n{row.address or ''}\n{row.token}".casefold():
            found.append(row)
        let_others_run_if_due()
    return found
