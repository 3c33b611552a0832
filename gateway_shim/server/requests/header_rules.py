"""Rules for the headers of a request, and what they say about its connection. Pure.

The names of all headers here are in capitals, as gunicorn keeps them.
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
"""Target, names and values of the headers have less than this together; as in Node, else 431."""

MAX_HEADERS = 2000
"""More headers are 431. Node leaves out those behind the first 1,000, also for whoever checks."""

_HTTP_1_0 = (1, 0)
_KNOWN_CODINGS = frozenset({"chunked", "identity"})

Headers = Iterable[tuple[str, str]]


class MissingHost(InvalidHeader):
    """A request of HTTP/1.1 without a Host header (RFC 9112, section 3.2)."""

    def __init__(self) -> None:
        super().__init__("Host")

    def __str__(self) -> str:
        """Say what is missing, in the answer and in the log."""
        return "HTTP/1.1 needs a Host header"


class RepeatedHost(InvalidHeader):
    """A request with several Host headers (RFC 9112, section 3.2)."""

    def __init__(self) -> None:
        super().__init__("Host")

    def __str__(self) -> str:
        """Say what is wrong, in the answer and in the log."""
        return "there is more than one Host header"


def check_hosts(headers: Headers, version: tuple[int, int] | None) -> None:
    """Refuse a request that does not name exactly one host.

    Args:
        headers: of the request.
        version: of HTTP.

    Raises:
        MissingHost: none is named; HTTP/1.0 may leave it out.
        RepeatedHost: two are, so that a proxy in front may have looked at the other one.
    """
    hosts = [1 for name, _ in headers if name == "HOST"]
    if len(hosts) > 1:
        raise RepeatedHost
    if not hosts and version != _HTTP_1_0:
        raise MissingHost


def check_size(target: str, headers: Headers) -> None:
    """Refuse a request whose head is larger than ``MAX_HEAD_BYTES``; separators do not count.

    Raises:
        LimitRequestHeaders: it is.
    """
    if len(target) + sum(len(name) + len(value) for name, value in headers) >= MAX_HEAD_BYTES:
        raise LimitRequestHeaders("target and headers")


def check_codings(headers: Headers) -> None:
    """Refuse a chunked body that has another transfer coding below the chunks.

    gunicorn would hand on what is compressed there as it is.

    Raises:
        UnsupportedTransferCoding: it has.
    """
    for name, value in headers:
        if name == "TRANSFER-ENCODING" and not _KNOWN_CODINGS.issuperset(_list(value)):
            raise UnsupportedTransferCoding(value)


def wants_close(headers: Headers, version: tuple[int, int] | None) -> bool:
    """Return whether the client wants the connection to end (RFC 9112, section 9.3).

    ``Connection`` is a list, and may come several times.

    Args:
        headers: of the request.
        version: of HTTP.
    """
    values = [value for name, value in headers if name == "CONNECTION"]
    if not values:
        return version == _HTTP_1_0
    options = _list(",".join(values))
    return "close" in options or (version == _HTTP_1_0 and "keep-alive" not in options)


def _list(value: str) -> set[str]:
    """Return the members of a header whose value is a list, in small letters."""
    return {member.strip(" \t") for member in value.lower().split(",")} if value else set()
