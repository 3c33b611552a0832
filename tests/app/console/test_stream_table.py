"""The table of streams."""

from __future__ import annotations

from typing import Any

import pytest

from app.console.stream_table import PAGE_ROWS, Row, Sort, local_rows, page_of, remote_rows
from app.services.connections.registered import Registered
from gateway_shim.streams.reading.listing import Condition, StreamInfo


class ListedGateway:
    """A gateway with a list of streams."""

    def __init__(self, *infos: StreamInfo) -> None:
        self._infos = infos

    def list_streams(self) -> list[StreamInfo]:
        """Return the list."""
        return list(self._infos)


def row(request_id: str, **values: Any) -> Row:
    """Return a row whose token is the request id in capital letters."""
    values = {"address": "192.0.2.1", "state": "open", "age": 1.0} | values
    return Row(request_id.upper(), request_id, **values)


def names(rows: list[Row], find: str = "", sort: Sort = Sort.REQUEST_ID, order: str = "") -> str:
    """Return the request ids of the first page, in their order."""
    page = page_of(rows, find, sort, 1, descending=order == "desc")
    return " ".join(item.request_id for item in page.rows)


def test_local_rows() -> None:
    """A row joins what the gateway and the connection manager know; one may know more."""
    infos = [
        StreamInfo("T1", "/s?request_id=a", "192.0.2.1", Condition.BEHIND, 5, 500, 3, 300),
        StreamInfo("T2", "/s?request_id=b%3C", "", Condition.CONNECTING, 0, 0, None, 0),
    ]
    registered = [("a", Registered("T1", "/", 40.0)), ("gone", Registered("T9", "/", 1.0))]
    assert local_rows(ListedGateway(*infos), registered, 42.0) == [  # type: ignore[arg-type]
        Row("T1", "a", "192.0.2.1", "behind", 2.0, 5, 500, 3, 300),
        Row("T2", "b<", None, "connecting", None, 0, 0, None, 0),
    ]


def test_remote_rows() -> None:
    """Of a gateway elsewhere, only the request id and the age are known."""
    registered = [("a", Registered("T1", "/", 40.0))]
    assert remote_rows(registered, 42.5) == [Row("T1", "a", None, "registered", 2.5)]


@pytest.mark.parametrize(
    ("find", "found"),
    [("", "a b c"), ("B", "b"), ("198.51", "c"), ("C", "c"), ("nothing", ""), ("a\nb", "")],
)
def test_find(find: str, found: str) -> None:
    """The text is looked for in the request id, the address and the token, in any case."""
    rows = [row("a"), row("b", address=None), row("c", address="198.51.100.7")]
    assert names(rows, find) == found


@pytest.mark.parametrize(
    ("sort", "up", "down"),
    [
        (Sort.AGE, "b a c", "a b c"),
        (Sort.EVENTS, "b a c", "a b c"),
        (Sort.BYTES, "a b c", "b a c"),
        (Sort.BEHIND, "b a c", "a b c"),
        (Sort.REQUEST_ID, "a b c", "c b a"),
        (Sort.ADDRESS, "b a c", "a b c"),
    ],
)
def test_sort(sort: Sort, up: str, down: str) -> None:
    """A row without a value comes last in either order."""
    rows = [
        row("c", age=None, address=None),
        row("a", age=20.0, events=10, bytes=1, bytes_behind=9, address="192.0.2.2"),
        row("b", age=3.0, events=9, bytes=2, bytes_behind=0, address="192.0.2.1"),
    ]
    assert (names(rows, "", sort), names(rows, "", sort, "desc")) == (up, down)


def test_pages() -> None:
    """A page beyond the last is the last; the search counts what it has found."""
    rows = [row(f"{number:04}") for number in range(2 * PAGE_ROWS + 5)]
    last = page_of(rows, "", Sort.REQUEST_ID, 99, descending=False)
    assert (last.page, last.pages, len(last.rows), last.found, last.total) == (3, 3, 5, 205, 205)
    second = page_of(rows, "", Sort.REQUEST_ID, 2, descending=False)
    assert second.rows[0].request_id == f"{PAGE_ROWS:04}"
    found = page_of(rows, "0001", Sort.REQUEST_ID, 1, descending=False)
    assert (found.pages, found.found, found.total) == (1, 1, 205)
    assert page_of([], "", Sort.AGE, 1, descending=True) == ([], 1, 1, 0, 0, True)
