"""Tests of the routes: requests, row by row, and the route of each."""

from __future__ import annotations

import pytest

from gateway_shim.protocol.routes import Route, path_of, route

ROUTES = [
    # The recordings' scenario connect_paths: every path but two is a stream.
    ("GET", "/", Route.STREAM),
    ("GET", "/events", Route.STREAM),
    ("GET", "/api/sse/stream?request_id=a%20b&x=1&x=2", Route.STREAM),
    ("GET", "/a//b/../c?", Route.STREAM),
    ("GET", "/%C3%A9?q=%F0%9F%98%80", Route.STREAM),
    ("GET", "/internal/send", Route.STREAM),
    ("GET", "/internal/other", Route.STREAM),
    ("GET", "/healthz/deep", Route.STREAM),
    ("GET", "/healthz//", Route.STREAM),
    ("GET", "//healthz", Route.STREAM),
    ("GET", "/%68ealthz", Route.STREAM),
    ("GET", "/healthz;a=1", Route.STREAM),
    ("GET", "/favicon.ico", Route.STREAM),
    ("GET", "/x?y=http://h/p?z=1#frag", Route.STREAM),
    ("GET", "/?/healthz", Route.STREAM),
    ("GET", "http://gw.example/healthz/x", Route.STREAM),
    # Capital letters, a slash at the end and a query are allowed.
    ("GET", "/healthz", Route.HEALTH),
    ("GET", "/HEALTHZ", Route.HEALTH),
    ("GET", "/healthz/", Route.HEALTH),
    ("GET", "/healthz?x=1", Route.HEALTH),
    ("GET", "/Healthz/?", Route.HEALTH),
    ("GET", "/healthz#x", Route.HEALTH),
    ("GET", "http://gw.example/healthz?x", Route.HEALTH),
    ("HEAD", "/healthz", Route.HEALTH),
    ("GET", "/readyz", Route.READY),
    ("GET", "/ReadyZ/?x=1", Route.READY),
    ("HEAD", "/readyz", Route.READY),
    # Divergence 5.
    ("HEAD", "/events", Route.STREAM_HEAD),
    ("HEAD", "/internal/send", Route.STREAM_HEAD),
    ("POST", "/internal/send", Route.SEND),
    ("POST", "/internal/send/", Route.SEND),
    ("POST", "/Internal/Send?x=1", Route.SEND),
    ("POST", "http://gw.example/internal/send", Route.SEND),
    ("OPTIONS", "/anything", Route.OPTIONS),
    ("OPTIONS", "/internal/send", Route.OPTIONS),
    ("OPTIONS", "/healthz", Route.OPTIONS),
    ("OPTIONS", "*", Route.OPTIONS),
    ("GET", "http://host?x=/healthz", Route.STREAM),
    ("GET", "*", Route.NOT_FOUND),
    ("HEAD", "*", Route.NOT_FOUND),
    ("GET", "http://", Route.NOT_FOUND),
    ("HEAD", "http://", Route.NOT_FOUND),
    ("POST", "/nope", Route.NOT_FOUND),
    ("POST", "/api/sse/stream", Route.NOT_FOUND),
    ("POST", "/healthz", Route.NOT_FOUND),
    ("POST", "/internal/send/x", Route.NOT_FOUND),
    ("POST", "//internal/send", Route.NOT_FOUND),
    ("PUT", "/internal/send", Route.NOT_FOUND),
    ("DELETE", "/x", Route.NOT_FOUND),
    ("PATCH", "/healthz", Route.NOT_FOUND),
    ("TRACE", "/", Route.NOT_FOUND),
    ("get", "/healthz", Route.NOT_FOUND),
]


@pytest.mark.parametrize(("method", "target", "expected"), ROUTES)
def test_route(method: str, target: str, expected: Route) -> None:
    """Each request has the route that the contract's table of endpoints gives it."""
    assert route(method, target) is expected


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a?b#c", "/a"),
        ("/a#b?c", "/a"),
        ("/a%3Fb", "/a%3Fb"),
        ("/a//b/../c?", "/a//b/../c"),
        ("/http://x/y", "/http://x/y"),
        ("http://host:1/a/b?c", "/a/b"),
        ("http://host", "/"),
        ("http://host?x=/y", "/"),
        ("HTTP://host", "/"),
        ("http:///x", "/x"),
        ("http://", ""),
        ("http://?x", ""),
        ("x://host", ""),
        ("x://host/y", "/y"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_path_of(target: str, path: str) -> None:
    """The path is cut out of a target without being changed."""
    assert path_of(target) == path
