"""gunicorn's request parser with the limits and the tolerance that the contract requires."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidHTTPVersion,
    InvalidRequestLine,
    InvalidSchemeHeaders,
    LimitRequestHeaders,
    ParseException,
)
from gunicorn.http.message import RFC9110_5_3_SINGLETON_FIELDS, Request

from gateway_shim.event_loop.turns import let_others_run
from gateway_shim.protocol import stream_request
from gateway_shim.protocol.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.server.requests import header_rules, request_line
from gateway_shim.streams.gateway import Gateway

__all__ = [
    "ServerRequest",
    "address_of",
    "client_of",
    "method_of",
    "prepare_requests",
    "stream_request_of",
]

MAX_RECEIVED_BYTES = 24 * 1024
"""The maximum size of a head as it arrives, with the empty lines before it, bytes.

This leaves room for the separators of 2,000 headers."""

_GUNICORNS_PROXIES = ["127.0.0.1", "::1"]
"""gunicorn's default for ``forwarded_allow_ips``."""

_READS_AT_ONCE = 16
"""The reads of one head between two yields; an ordinary head takes one to three reads."""


class ServerRequest(Request):
    """A request whose headers the gateway can report as Node's http module would.

    Attributes:
        proxies: the peers that are trusted to name their client and its scheme.
        max_requests: the maximum number of requests on one connection. The worker sets both
            attributes for the whole process.
    """

    proxies: ClassVar[TrustedProxies] = TrustedProxies.parse(DEFAULT_PROXIES)
    max_requests: ClassVar[int] = 1000
    _expected_100_continue: bool
    _reads = 0  # of the head
    _received = 0  # bytes of the head
    _before_headers = 0  # bytes of the first line and of the empty lines before it
    _wants_close: bool | None = None  # None until should_close() was called

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Read a request; see :class:`gunicorn.http.message.Request`."""
        try:
            super().__init__(*args, **kwargs)
        except ParseException as exc:
            vars(exc)["method"] = self.method  # for method_of()
            raise

    @property
    def max_buffer_headers(self) -> int:
        """The maximum size of a head without its first line, bytes."""
        return MAX_RECEIVED_BYTES - self._before_headers

    @max_buffer_headers.setter
    def max_buffer_headers(self, size: int) -> None:
        # gunicorn sets the product of its limits, which is megabytes for each connection.
        pass

    def _peer_is_trusted_proxy(self) -> bool:
        # gunicorn trusts every peer of a Unix socket.
        return self.proxies.trusts(address_of(self.peer_addr))

    def parse(self, unreader: Any) -> Any:
        """Read a head (called by gunicorn).

        Raises:
            ParseException: the head is malformed or too large, or does not have exactly one Host.
        """
        self._use_fast = False  # gunicorn's optional parser in C has different limits
        rest = super().parse(unreader)
        if self._received > header_rules.MAX_HEAD_BYTES:
            header_rules.check_size(self.uri or "", self.headers)
        header_rules.check_hosts(self.headers, self.version)
        if self.is_last:
            self.force_close()  # the answer then has "Connection: close"
        return rest

    @property
    def is_last(self) -> bool:
        """True if no further request is accepted on the connection."""
        return self.req_number >= self.max_requests

    def read_into(self, unreader: Any, buf: bytearray, stop: bool | None = False) -> None:
        """Read more bytes of the head (called by gunicorn).

        Over TLS each read returns one record, which can be as small as one byte, and does not wait
        while more records are available: 16 KiB in such records would block the event loop for
        half a second.
        """
        self._reads += 1
        if self._reads % _READS_AT_ONCE == 0:
            let_others_run()
        size = len(buf)
        super().read_into(unreader, buf, stop)
        self._received += len(buf) - size

    def read_line(self, unreader: Any, buf: bytearray, limit: int = 0) -> tuple[bytes, bytearray]:
        """Read the request line (called by gunicorn), and skip empty lines before it.

        Args:
            unreader: gunicorn's reader of the connection.
            buf: the bytes of the head that were read before.
            limit: ignored. gunicorn's limit is 8,190 bytes at most; the limit of the whole head
                applies instead.

        Returns:
            The line without its end, and the bytes that were read after it.

        Raises:
            ParseException: the bytes are not a request line, or the line is too long.
        """
        skipped = searched = 0
        while True:
            if empty := request_line.empty_lines(buf):
                del buf[:empty]
                skipped, searched = skipped + empty, 0
            end = buf.find(b"\r\n", max(0, searched - 1))
            if max(end, len(buf) if end < 0 else 0) + skipped > MAX_RECEIVED_BYTES:
                raise LimitRequestHeaders("request line")
            if end >= 0:
                break
            request_line.check_beginning(buf)
            searched = len(buf)
            self.read_into(unreader, buf)
        line = bytes(buf[:end])
        if b"\n" in line:
            raise InvalidRequestLine("bare LF as line terminator")
        self._before_headers = skipped + end + 2
        return line, buf[end + 2 :]

    def parse_request_line(self, line_bytes: bytes) -> None:
        """Parse the request line (called by gunicorn).

        Raises:
            ParseException: the line is malformed, or its HTTP version is not supported.
        """
        # gunicorn answers 400 to "*" without OPTIONS; here, as in Node, it is "not found".
        asterisk = line_bytes.count(b" ") == 2 and b" * " in line_bytes
        super().parse_request_line(line_bytes.replace(b" * ", b" /* ") if asterisk else line_bytes)
        if asterisk:
            self.uri = self.path = request_line.ASTERISK
        elif self.uri is not None and self.uri[0] != "/" and self.method != "CONNECT":
            request_line.check_target(self.uri)
        if self.version not in request_line.VERSIONS:
            raise InvalidHTTPVersion(self.version or "")

    def set_body_reader(self) -> None:
        """Determine how the body is framed (called by gunicorn).

        Raises:
            ParseException: the framing is ambiguous, or a transfer coding is not supported.
        """
        super().set_body_reader()
        if self.body is not None and isinstance(self.body.reader, ChunkedReader):
            header_rules.check_codings(self.headers)

    def should_close(self) -> bool:
        """Return whether the connection ends after this request.

        gunicorn reads only the first ``Connection`` header, and does not split it into its members.
        """
        if self._wants_close is None:
            # The bytes after a CONNECT are not a request (RFC 9931, section 8).
            self._wants_close = self.method == "CONNECT" or header_rules.wants_close(
                self.headers, self.version
            )
        return self.must_close or self._wants_close

    def _apply_header_policy(
        self,
        name: str,
        value: str,
        scheme_state: Any,
        seen: set[str],
        scheme_headers: Any,
        forwarder_headers: Any,
        from_trailer: bool = False,
    ) -> tuple[str, str] | None:
        # The contract: the first of several content-type headers wins. gunicorn answers 400, so
        # a stream that a Node gateway opens would be refused. A repeated Host is kept, so that
        # parse() can refuse it with its own message.
        if name in RFC9110_5_3_SINGLETON_FIELDS and name in seen:
            return (name, value) if name == "HOST" else None
        try:
            # The types of gunicorn are of a version without this method.
            kept: tuple[str, str] | None = super()._apply_header_policy(  # type: ignore[misc]
                name, value, scheme_state, seen, scheme_headers, forwarder_headers, from_trailer
            )
        except InvalidSchemeHeaders:
            # Two different X-Forwarded-Proto headers of a proxy: the first one has set the
            # scheme, and the callback contains both.
            return name, value
        except ExpectationFailed:
            if self.version != (1, 0):  # HTTP/1.0 does not define expectations
                raise
            return name, value
        return kept

    @property
    def declared_length(self) -> int:
        """The Content-Length, bytes; 0 if the header is missing."""
        for name, value in self.headers:
            if name == "CONTENT-LENGTH":
                return int(value)  # gunicorn has checked that the value is a number
        return 0

    def expects_continue(self) -> bool:
        """Return whether the client waits for ``100 Continue``; True only the first time."""
        expected, self._expected_100_continue = self._expected_100_continue, False
        return expected


def stream_request_of(req: Any, addr: Any, listener: Any) -> StreamRequest:
    """Create the gateway's request from gunicorn's.

    Args:
        req: gunicorn's request.
        addr: the client's address, as sockets give it.
        listener: the server's own address, as sockets give it.
    """
    return StreamRequest(
        url=req.uri,
        headers=stream_request.join_headers(req.headers),
        framing=BodyFraming.BARE if req.version < (1, 1) else BodyFraming.CHUNKED,
        address=client_of(req, addr),
        listener=listener[0] if isinstance(listener, tuple) else None,
    )


def prepare_requests(cfg: Any, gateway: Gateway) -> None:
    """Set the trusted proxies and the maximum number of requests on a connection for this process.

    The trusted proxies are those of gunicorn's ``forwarded_allow_ips`` if that option is set, and
    those of the gateway's setting otherwise. gunicorn's option cannot name the peers of a Unix
    socket, so for these the gateway's setting always applies.

    Args:
        cfg: gunicorn's configuration.
        gateway: the gateway of this process.
    """
    if cfg.forwarded_allow_ips != _GUNICORNS_PROXIES:
        given = TrustedProxies.parse(",".join(cfg.forwarded_allow_ips))
        gateway.proxies = replace(given, unix=gateway.proxies.unix)
    ServerRequest.proxies = gateway.proxies
    ServerRequest.max_requests = gateway.config.max_requests_per_connection


def method_of(exc: BaseException) -> str | None:
    """Return the method of a request that could not be parsed; None if it is unknown."""
    method: str | None = vars(exc).get("method")
    return method


def client_of(req: Any, addr: Any) -> str:
    """Return the address of a request's client, even if the request came through proxies.

    Args:
        req: gunicorn's request.
        addr: the peer's address, as sockets give it.

    Returns:
        The address; empty for the peer of a Unix socket that names no client.
    """
    if req.proxy_protocol_info:  # the PROXY protocol, if gunicorn's option allows it for the peer
        return str(req.proxy_protocol_info["client_addr"] or address_of(addr))
    forwarded = (value for name, value in req.headers if name == "X-FORWARDED-FOR")
    return ServerRequest.proxies.client(address_of(addr), forwarded)


def address_of(addr: Any) -> str:
    """Return the address of a peer; empty for a Unix socket."""
    return addr[0] if isinstance(addr, tuple) else ""
