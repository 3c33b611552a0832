"""gunicorn's request, as tolerant of repeated headers as the contract asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from gunicorn.http.errors import InvalidHeader, InvalidSchemeHeaders
from gunicorn.http.message import RFC9110_5_3_SINGLETON_FIELDS, Request

from gateway_shim import stream_request
from gateway_shim.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.stream_request import StreamRequest
from gateway_shim.turns import let_others_run

if TYPE_CHECKING:
    from gateway_shim.gateway import Gateway

__all__ = [
    "MissingHost",
    "ServerRequest",
    "address_of",
    "client_of",
    "prepare_requests",
    "stream_request_of",
]

MAX_HEAD_BYTES = 16 * 1024
"""The largest block of headers that is read, as in Node's http module; more is 431."""


_GUNICORNS_PROXIES = ["127.0.0.1", "::1"]
"""gunicorn's ``forwarded_allow_ips`` where nobody has set it."""

_READS_AT_ONCE = 16
"""Reads of one head before others may run; an ordinary head takes one to three."""


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
        proxies: the peers that may say who their client is, and which scheme it used.
        max_requests: requests that one connection may carry. The worker sets both, for the
            process.
    """

    proxies: ClassVar[TrustedProxies] = TrustedProxies.parse(DEFAULT_PROXIES)
    max_requests: ClassVar[int] = 1000
    _expected_100_continue: bool
    _reads = 0

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
        if self.is_last:
            self.force_close()  # the answer says so
        return rest

    @property
    def is_last(self) -> bool:
        """Whether the connection carries no further request."""
        return self.req_number >= self.max_requests

    def read_into(self, unreader: Any, buf: bytearray, stop: bool | None = False) -> None:
        """Read some more of the head (called by gunicorn).

        Over TLS each read returns one record, of one byte if the client likes, and does not wait
        while there are more: 16 KiB of them would keep the event loop for half a second.
        """
        self._reads += 1
        if self._reads % _READS_AT_ONCE == 0:
            let_others_run()
        super().read_into(unreader, buf, stop)

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


def stream_request_of(
    req: Any, addr: Any, listener: Any, *, bodiless: bool = False
) -> StreamRequest:
    """A request as the gateway takes it.

    Args:
        req: gunicorn's request.
        addr: the client's address, as sockets give it.
        listener: the server's own address, as sockets give it.
        bodiless: whether the answer has no body.
    """
    return StreamRequest(
        url=req.uri,
        headers=stream_request.join_headers(req.headers),
        http_1_0=bodiless or req.version < (1, 1),
        address=client_of(req, addr),
        listener=listener[0] if isinstance(listener, tuple) else None,
    )


def prepare_requests(cfg: Any, gateway: Gateway) -> None:
    """Settle whose word about clients this process takes, and how many requests it lets follow.

    Whose word, gunicorn's ``forwarded_allow_ips`` says where that is set, and the gateway's
    setting elsewhere; the peers of a Unix socket cannot be named in gunicorn's.

    Args:
        cfg: gunicorn's configuration.
        gateway: where the streams of this process are counted.
    """
    if cfg.forwarded_allow_ips != _GUNICORNS_PROXIES:
        given = TrustedProxies.parse(",".join(cfg.forwarded_allow_ips))
        gateway.proxies = replace(given, unix=gateway.proxies.unix)
    ServerRequest.proxies = gateway.proxies
    ServerRequest.max_requests = gateway.config.max_requests_per_connection


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
