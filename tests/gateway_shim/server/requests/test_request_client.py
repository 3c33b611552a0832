"""The client of a request, and the request that the gateway gets."""

from __future__ import annotations

import pytest
from gunicorn.config import Config

from gateway_shim.protocol.client_address import TrustedProxies
from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.server.requests.request import (
    ServerRequest,
    address_of,
    client_of,
    prepare_requests,
    stream_request_of,
)
from gateway_shim.streams.config import GatewayConfig
from tests.gateway_shim.server.requests.parsed_request import parse


def test_stream_request_of() -> None:
    """The gateway gets the target, headers, framing, and address of a request."""
    request = parse("Host: h", "X: y")
    stream = stream_request_of(request, ("192.0.2.1", 5), ("127.0.0.1", 5000))
    assert (stream.url, stream.headers) == ("/a//b?c", {"host": "h", "x": "y"})
    assert (stream.framing, stream.address) == (BodyFraming.CHUNKED, "192.0.2.1")
    assert stream.listener == "127.0.0.1"
    assert stream_request_of(request, None, "/run/unix.socket").listener is None
    old = stream_request_of(parse(start="GET / HTTP/1.0"), None, None)
    assert old.framing is BodyFraming.BARE


def test_client_of() -> None:
    """A trusted proxy names the client; X_Forwarded_For is a different header."""
    local = ("127.0.0.1", 5)
    request = parse("Host: h", "X_Forwarded_For: 203.0.113.1", "X-Forwarded-For: 198.51.100.1")
    assert client_of(request, local) == "198.51.100.1"
    assert client_of(request, ("192.0.2.1", 5)) == "192.0.2.1"
    assert client_of(request, "") == "198.51.100.1"
    assert stream_request_of(request, local, None).address == "198.51.100.1"
    assert client_of(parse("Host: h"), "") == ""
    request.proxy_protocol_info = {"client_addr": "203.0.113.2"}
    assert client_of(request, local) == "203.0.113.2"
    request.proxy_protocol_info = {"client_addr": None}  # a proxy's own health check
    assert client_of(request, local) == "127.0.0.1"


@pytest.mark.parametrize(
    ("proxies", "peer", "scheme"),
    [
        ("127.0.0.1", "127.0.0.1", "https"),
        ("10.0.0.0/8", "127.0.0.1", "http"),
        ("10.0.0.0/8", "10.1.2.3", "https"),
        ("*", "192.0.2.1", "https"),
        ("", "127.0.0.1", "http"),
    ],
)
def test_who_may_say_the_scheme(
    proxies: str, peer: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only trusted peers can name the client."""
    monkeypatch.setattr(ServerRequest, "proxies", TrustedProxies.parse(proxies))
    assert parse("Host: h", "X-Forwarded-Proto: https", peer=peer).scheme == scheme


class FakeGateway:
    """The configuration from which the requests of a process are prepared."""

    def __init__(self) -> None:
        self.config = GatewayConfig(max_requests_per_connection=7)
        self.proxies = TrustedProxies.parse("10.0.0.0/8,unix")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("127.0.0.1,::1", "10.0.0.0/8,unix"),
        ("192.0.2.0/24", "192.0.2.0/24,unix"),
        ("*", "*,unix"),
        ("", "unix"),
    ],
)
def test_prepare_requests(given: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn's option takes precedence, except for the peers of Unix sockets."""
    for name in ("proxies", "max_requests"):
        monkeypatch.setattr(ServerRequest, name, getattr(ServerRequest, name))
    config, gateway = Config(), FakeGateway()
    config.set("forwarded_allow_ips", given)
    prepare_requests(config, gateway)  # type: ignore[arg-type]
    assert ServerRequest.proxies == gateway.proxies == TrustedProxies.parse(expected)
    assert ServerRequest.max_requests == 7


def test_address_of() -> None:
    """Only IP sockets have an address."""
    assert address_of(("::1", 5, 0, 0)) == "::1"
    assert address_of("") == address_of(None) == ""
