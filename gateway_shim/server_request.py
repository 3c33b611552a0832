"""gunicorn's request, as tolerant of repeated headers as the contract asks."""

from __future__ import annotations

from typing import Any, ClassVar

from gunicorn.http.errors import InvalidHeader, InvalidSchemeHeaders
from gunicorn.http.message import RFC9110_5_3_SINGLETON_FIELDS, Request

from gateway_shim import stream_request
from gateway_shim.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.stream_request import StreamRequest

__all__ = ["MissingHost", "ServerRequest", "address_of", "client_of", "stream_request_of"]

MAX_HEAD_BYTES = 16 * 1024
"""The largest block of headers that is read, as in Node's http module; more is 431."""


class MissingHost(InvalidHeader):
    """A request of HTTP/1.1 without a Host header (RFC 9112, section 3.2)."""

    def __init__(self) -> None:
        super().__init__("Host")

    def __str__(self) -> str:
        """Say what is missing, in the answer and in the log."""
        return "HTTP/1.1 needs a Host header"


class ServerRequest(Request):
    """A request of which the gateway can show the headers as Node's http module saw them.

    Attributes:
        proxies: the peers that may say who their client is, and which scheme it used. One object
            for the process; the worker sets it.
    """

    proxies: ClassVar[TrustedProxies] = TrustedProxies.parse(DEFAULT_PROXIES)
    _expected_100_continue: bool

    @property
    def max_buffer_headers(self) -> int:
        """The largest block of headers that is read, bytes."""
        return MAX_HEAD_BYTES

    @max_buffer_headers.setter
    def max_buffer_headers(self, size: int) -> None:
        # gunicorn multiplies its limits, which would be megabytes for every connection.
        pass

    def _peer_is_trusted_proxy(self) -> bool:
        # gunicorn would believe every peer of a Unix socket.
        return self.proxies.trusts(address_of(self.peer_addr))

    def parse(self, unreader: Any) -> Any:
        """Read a head (called by gunicorn).

        Raises:
            ParseException: the head is malformed, or a Host is missing.
        """
        rest = super().parse(unreader)
        modern = self.version is not None and self.version >= (1, 1)
        if modern and all(name != "HOST" for name, _ in self.headers):
            raise MissingHost
        return rest

    def _apply_header_policy(
        self, name: str, value: str, scheme_state: Any, seen: set[str], *args: Any, **kwargs: Any
    ) -> tuple[str, str] | None:
        # The contract: of a repeated host or content-type the first one wins. gunicorn answers
        # 400, which would be a stream less than the gateway that we stand in for.
        if name in RFC9110_5_3_SINGLETON_FIELDS and name in seen:
            return None
        try:
            kept: tuple[str, str] | None = super()._apply_header_policy(  # type: ignore[misc]
                name, value, scheme_state, seen, *args, **kwargs
            )
        except InvalidSchemeHeaders:
            # The same of a proxy's X-Forwarded-Proto, said twice and differently: the first one
            # has set the scheme, and the callback shows both.
            return name, value
        return kept

    @property
    def declared_length(self) -> int:
        """The Content-Length, bytes; 0 if there is none."""
        for name, value in self.headers:
            if name == "CONTENT-LENGTH":
                return int(value)  # gunicorn has checked that it is a number
        return 0

    def expects_continue(self) -> bool:
        """Whether the client waits for ``100 Continue``; true once."""
        expected, self._expected_100_continue = self._expected_100_continue, False
        return expected


def stream_request_of(req: Any, addr: Any, *, bodiless: bool = False) -> StreamRequest:
    """A request as the gateway takes it.

    Args:
        req: gunicorn's request.
        addr: the client's address, as sockets give it.
        bodiless: whether the answer has no body.
    """
    return StreamRequest(
        url=req.uri,
        headers=stream_request.join_headers(req.headers),
        http_1_0=bodiless or req.version < (1, 1),
        address=client_of(req, addr),
    )


def client_of(req: Any, addr: Any) -> str:
    """Return the address of a request's client, also where proxies stand between.

    Args:
        req: gunicorn's request.
        addr: the peer's address, as sockets give it.

    Returns:
        The address; empty for the peer of a Unix socket that names no client.
    """
    if req.proxy_protocol_info:  # the PROXY protocol, where gunicorn's option allows the peer it
        return str(req.proxy_protocol_info["client_addr"] or address_of(addr))
    forwarded = (value for name, value in req.headers if name == "X-FORWARDED-FOR")
    return ServerRequest.proxies.client(address_of(addr), forwarded)


def address_of(addr: Any) -> str:
    """Return a peer's address; empty for a Unix socket's."""
    return addr[0] if isinstance(addr, tuple) else ""
