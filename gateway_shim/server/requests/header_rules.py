"""Rules for the headers of a request and for the end of its connection. Pure.

Header names are in capitals here, as in gunicorn.
"""

from __future__ import annotations

from collections.abc import Iterable

from gunicorn.http.errors import InvalidHeader, LimitRequestHeaders, UnsupportedTransferCoding

__all__ = [
    "MAX_HEADERS",
    "MAX_HEAD_BYTES",
    "MissingHost",
    "RepeatedHost",
    "check_codings",
    "check_hosts",
    "check_size",
    "wants_close",
]

MAX_HEAD_BYTES = 16 * 1024
"""Target, header names, and header values together must be smaller than this, as in Node.

A larger head gets 431."""

MAX_HEADERS = 2000
"""The maximum number of headers; more get 431.

Node ignores all headers after the first 1,000, even for security checks."""

_HTTP_1_0 = (1, 0)
_KNOWN_CODINGS = frozenset({"chunked", "identity"})

HeaderPairs = Iterable[tuple[str, str]]


class MissingHost(InvalidHeader):
    """A request of HTTP/1.1 without a Host header (RFC 9112, section 3.2)."""

    def __init__(self) -> None:
        super().__init__("Host")

    def __str__(self) -> str:
        """Return the message for the answer and the log."""
        return "HTTP/1.1 needs a Host header"


class RepeatedHost(InvalidHeader):
    """A request with several Host headers (RFC 9112, section 3.2)."""

    def __init__(self) -> None:
        super().__init__("Host")

    def __str__(self) -> str:
        """Return the message for the answer and the log."""
        return "there is more than one Host header"


def check_hosts(headers: HeaderPairs, version: tuple[int, int] | None) -> None:
    """Refuse a request that does not name exactly one host.

    Args:
        headers: the headers of the request.
        version: the HTTP version.

    Raises:
        MissingHost: there is no Host header; only HTTP/1.0 may omit it.
        RepeatedHost: there are several Host headers; a proxy in front may have used another one.
    """
    hosts = [1 for name, _ in headers if name == "HOST"]
    if len(hosts) > 1:
        raise RepeatedHost
    if not hosts and version != _HTTP_1_0:
        raise MissingHost


def check_size(target: str, headers: HeaderPairs) -> None:
    """Refuse a request whose head is larger than ``MAX_HEAD_BYTES``; separators do not count.

    Raises:
        LimitRequestHeaders: the head is too large.
    """
    if len(target) + sum(len(name) + len(value) for name, value in headers) >= MAX_HEAD_BYTES:
        raise LimitRequestHeaders("target and headers")


def check_codings(headers: HeaderPairs) -> None:
    """Refuse a chunked body that has a second transfer coding, such as ``gzip``.

    gunicorn would pass the compressed bytes to the application unchanged.

    Raises:
        UnsupportedTransferCoding: there is a second transfer coding.
    """
    for name, value in headers:
        if name == "TRANSFER-ENCODING" and not _KNOWN_CODINGS.issuperset(_list(value)):
            raise UnsupportedTransferCoding(value)


def wants_close(headers: HeaderPairs, version: tuple[int, int] | None) -> bool:
    """Return whether the client wants the connection to end (RFC 9112, section 9.3).

    The value of ``Connection`` is a list, and the header may be repeated.

    Args:
        headers: the headers of the request.
        version: the HTTP version.
    """
    values = [value for name, value in headers if name == "CONNECTION"]
    if not values:
        return version == _HTTP_1_0
    options = _list(",".join(values))
    return "close" in options or (version == _HTTP_1_0 and "keep-alive" not in options)


def _list(value: str) -> set[str]:
    """Return the members of a header value that is a list, in lower case."""
    return {member.strip(" \t") for member in value.lower().split(",")} if value else set()
