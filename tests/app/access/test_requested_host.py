"""The host that a request asks for."""

from __future__ import annotations

import pytest

from app.access.requested_host import with_requested_host

HEADERS = {"host": "own.example", "origin": "http://page.example"}


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/x", "own.example"),
        ("//other.example/x", "own.example"),
        ("*", "own.example"),
        ("", "own.example"),
        ("http:///x", "own.example"),
        ("http://other.example", "other.example"),
        ("https://other.example:8443/x?y@z", "other.example:8443"),
        ("http://a:b@other.example?x", "other.example"),
        ("http://a@b@other.example/", "other.example"),
        ("http://[::1]:80/x", "[::1]:80"),
    ],
)
def test_with_requested_host(target: str, host: str) -> None:
    """A target that is a URL replaces the host; all other headers stay as they were sent."""
    header = with_requested_host(target, HEADERS.get)
    assert (header("host"), header("origin"), header("x")) == (host, "http://page.example", None)
