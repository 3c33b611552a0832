"""The settings of a gateway."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.protocol.http import CORS_HEADERS
from gateway_shim.streams.config import Cors, GatewayConfig

A, B = "https://a.example", "http://b.example:81"


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("*", ("*",)),
        ("", ()),
        (" , ", ()),
        (A, (A,)),
        (f" {A}/ ,{B},", (A, B)),
        (f"*,{A}", ("*", A)),
    ],
)
def test_parse(text: str, origins: tuple[str, ...]) -> None:
    """Origins are separated by commas; spaces around them and a slash at their end are ignored."""
    cors = Cors.parse(text)
    assert cors.origins == origins
    # What the backend's API and clients that use fetch need beyond the contract.
    assert cors.methods == "GET, POST, DELETE, OPTIONS"
    assert cors.request_headers == "Content-Type, Cache-Control, Last-Event-ID, Authorization"
    assert cors.exposed == "SSE-Heartbeat-Seconds, Retry-After"


@pytest.mark.parametrize(
    "text",
    [
        "a.example",
        f"{A},null",
        "ftp://a",
        "**",
        "https://a https://b",
        "https://a/path",
        "https://A.example",
        "https://a:443",
        "http://a:80",
        "https://u:p@a",
        "https://a:port",
        "https://",
    ],
)
def test_parse_refuses(text: str) -> None:
    """The error of a text that is not an origin names the text and says how to write it."""
    with pytest.raises(
        InvalidConfiguration, match=r"is not an origin as browsers send it; write https://"
    ):
        Cors.parse(text)


@pytest.mark.parametrize("origins", [("*",), (A, "*")])
def test_everybody(origins: tuple[str, ...]) -> None:
    """With a star all origins get the same answer, as recorded, and cannot send cookies."""
    assert Cors(origins).headers({"origin": "https://x"}) == CORS_HEADERS
    assert Cors(origins).headers({}) == CORS_HEADERS


def test_allowed_origin() -> None:
    """A listed origin is named and may send cookies; caches are told that the answer varies."""
    assert Cors((A, B)).headers({"origin": B}) == (
        ("Access-Control-Allow-Origin", B),
        ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
        ("Access-Control-Allow-Headers", "Content-Type, Cache-Control"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Vary", "Origin"),
    )


@pytest.mark.parametrize(
    "headers", [{}, {"origin": ""}, {"origin": f"{A}.evil"}, {"origin": "*"}, {"origin": [A]}]
)
def test_other_origins(headers: dict[str, str | list[str]]) -> None:
    """Any other origin is not named; caches are told that the answer varies."""
    assert Cors((A,)).headers(headers) == (("Vary", "Origin"),)


def test_nobody() -> None:
    """Without any origin there are no CORS headers."""
    assert Cors(()).headers({"origin": A}) == ()
    assert Cors(()).headers({}) == ()


def test_defaults() -> None:
    """The defaults of a gateway's settings are known."""
    assert asdict(GatewayConfig()) == {
        "dialect": "named",
        "heartbeat_interval": 15.0,
        "tells_heartbeat": False,
        "max_buffer_bytes": 1024 * 1024,
        "max_total_buffer_bytes": 256 * 1024 * 1024,
        "max_connections": None,
        "max_connections_of_server": None,
        "max_connections_per_address": None,
        "proxies": {"networks": (), "unix": False, "every_peer": False},
        "max_request_connections_per_address": 500,
        "max_requests_per_connection": 1000,
        "max_pending_connects": 500,
        "callback_connections": 0,
        "keep_headers": True,
        "client_timeout": 30.0,
        "retry_ms": None,
        "drain_retry_seconds": 10.0,
        "cors": {
            "origins": ("*",),
            "methods": "GET, POST, OPTIONS",
            "request_headers": "Content-Type, Cache-Control",
            "exposed": "",
        },
    }


def test_every_origin_of_a_backend() -> None:
    """With a star a backend allows the same methods and headers as with a list, without cookies."""
    assert dict(Cors.parse("*").headers({"origin": A})) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type, Cache-Control, Last-Event-ID, Authorization",
        "Access-Control-Expose-Headers": "SSE-Heartbeat-Seconds, Retry-After",
    }
