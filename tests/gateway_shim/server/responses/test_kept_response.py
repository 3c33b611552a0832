"""The head of gunicorn's answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser

from gateway_shim.server.requests.request import ServerRequest
from gateway_shim.server.responses.kept_response import KeptResponse, use_own_http


def response(version: tuple[int, int], *, closes: bool) -> KeptResponse:
    """Create the answer to a request with an HTTP version."""
    request: Any = SimpleNamespace(version=version, method="GET", should_close=lambda: closes)
    config = Config()
    config.set("keepalive", 7)
    made = KeptResponse(request, None, config)
    made.start_response("200 OK", [("Content-Length", "0"), ("Keep-Alive", "timeout=1")])
    return made


@pytest.mark.parametrize("version", [(1, 0), (1, 1)])
def test_headers(version: tuple[int, int]) -> None:
    """The head has the server's version and the announced idle time."""
    headers = response(version, closes=False).default_headers()
    assert headers[0] == "HTTP/1.1 200 OK\r\n"
    assert headers[-2:] == ["Connection: keep-alive\r\n", "Keep-Alive: timeout=7\r\n"]
    assert response(version, closes=True).default_headers()[-1] == "Connection: close\r\n"


def test_use_own_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn uses both classes after the call."""
    monkeypatch.setattr(wsgi, "Response", wsgi.Response)
    monkeypatch.setattr(RequestParser, "mesg_class", RequestParser.mesg_class)
    use_own_http()
    assert (wsgi.Response, RequestParser.mesg_class) == (KeptResponse, ServerRequest)
