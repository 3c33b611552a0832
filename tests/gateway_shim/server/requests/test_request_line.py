"""Checks of the first line; test_request.py tests whole requests."""

from __future__ import annotations

import pytest
from gunicorn.http.errors import InvalidRequestLine, InvalidRequestMethod

from gateway_shim.server.requests.request_line import check_beginning, check_target, empty_lines


@pytest.mark.parametrize(
    ("data", "size"),
    [(b"", 0), (b"\r", 0), (b"\r\n", 2), (b"\r\n\r\n\rG", 4), (b"G\r\n", 0), (b"\n", 0)],
)
def test_empty_lines(data: bytes, size: int) -> None:
    """The bytes of complete empty lines are counted."""
    assert empty_lines(data) == empty_lines(bytearray(data)) == size


def test_beginnings_of_a_request() -> None:
    """Every beginning of a valid line is accepted."""
    line = b"M-SEARCH * HTTP/1.1\r"
    for end in range(len(line) + 1):
        check_beginning(line[:end])
    check_beginning(b"\r")


def test_beginnings_of_nothing() -> None:
    """A beginning that cannot become a valid line is refused."""
    for data in (b"{", b" G", b"get", b"GE\0", b"A" * 21, b"\n", b"\rG"):
        with pytest.raises(InvalidRequestMethod):
            check_beginning(data)
    for data in (b"GET /\n", b"GET /\rx"):
        with pytest.raises(InvalidRequestLine):
            check_beginning(data)


def test_check_target() -> None:
    """A path, a URL, and an asterisk are valid targets."""
    for target in ("/", "*", "http://h/x", "http://"):
        check_target(target)
    for target in ("", "x", "**", "1a://h"):
        with pytest.raises(InvalidRequestLine):
            check_target(target)
