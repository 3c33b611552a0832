"""Requests that are parsed with the gateway's settings of gunicorn."""

from __future__ import annotations

from gunicorn.config import Config
from gunicorn.http.unreader import IterUnreader

from gateway_shim.server.options import base_options
from gateway_shim.server.requests.request import ServerRequest

__all__ = ["parse", "settings"]


def settings() -> Config:
    """Return the settings that the gateway gives to gunicorn."""
    config = Config()
    for name, value in base_options("127.0.0.1", 1, drain_seconds=1).items():
        config.set(name, value)
    return config


def parse(
    *lines: str,
    body: bytes = b"",
    start: str = "GET /a//b?c HTTP/1.1",
    peer: str = "192.0.2.1",
) -> ServerRequest:
    """Parse a request with the gateway's settings."""
    data = "\r\n".join([start, *lines, "", ""]).encode("latin-1") + body
    pieces = (data[at : at + 1000] for at in range(0, len(data), 1000))
    return ServerRequest(settings(), IterUnreader(pieces), (peer, 1))
