"""A browser's request for a stream: in callbacks to the backend, and packed in memory. Pure.

Source: the gateway contract (docs/contract.md), "A stream's life", step 2.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.protocol.http import compact_json

__all__ = [
    "MAX_PACKED_BYTES",
    "MAX_URL_CHARACTERS",
    "Headers",
    "StreamRequest",
    "address_and_url",
    "join_headers",
    "pack_request",
    "shorten_url",
    "unpack_request",
]

MAX_PACKED_BYTES = 4096
"""The largest packed request, which is kept as long as its stream lives. Hardly any browser sends a
larger one: it would need 4,000 characters of cookies that cannot be compressed."""

MAX_URL_CHARACTERS = 1024
"""The characters that are kept, and logged, of a longer URL."""

_PLAIN_BYTES = 2048
_ROOM_FOR_HEADERS = 1024

Headers = dict[str, str | list[str]]
"""The headers of a request, as a callback contains them."""

# If one of these headers is repeated, only its first value is kept. The list is that of Node's
# http module, which joined the headers in the recordings.
_FIRST_WINS = frozenset(
    {
        "age",
        "authorization",
        "content-length",
        "content-type",
        "etag",
        "expires",
        "from",
        "host",
        "if-modified-since",
        "if-unmodified-since",
        "last-modified",
        "location",
        "max-forwards",
        "proxy-authorization",
        "referer",
        "retry-after",
        "server",
        "user-agent",
    }
)


def join_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Join the headers of a request as a callback contains them; "A stream's life", step 2.

    Args:
        pairs: the names and values in the order of the request; the values are decoded as latin-1.

    Returns:
        The values by name, in small letters. Repeated values are joined with ``", "``, cookies with
        ``"; "``. The value of ``set-cookie``, and of no other header, is always a list.
    """
    joined: Headers = {}
    for raw_name, value in pairs:
        name = raw_name.lower()
        earlier = joined.get(name)
        if earlier is None:
            joined[name] = [value] if name == "set-cookie" else value
        elif isinstance(earlier, list):
            earlier.append(value)
        elif name not in _FIRST_WINS:
            joined[name] = earlier + ("; " if name == "cookie" else ", ") + value
    return joined


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A browser's request for a stream, as the backend sees the request.

    Args:
        url: the raw request target.
        headers: as :func:`join_headers` returns them.
        framing: the framing of the stream's body; BARE for an HTTP/1.0 client.
        address: the client's address, for logs and limits; empty if unknown.
        listener: the IP address that the server listens at; None: a Unix socket.
    """

    url: str
    headers: Mapping[str, str | list[str]]
    framing: BodyFraming = BodyFraming.CHUNKED
    address: str = ""
    listener: str | None = None


def pack_request(request: StreamRequest, *, keep_headers: bool = True) -> bytes:
    """Pack the request of a stream into few bytes, which are kept as long as the stream lives.

    The twelve headers of a browser take about 1 KB when packed, and twice as much as a dict of
    strings. A larger request is compressed. If it still takes more than ``MAX_PACKED_BYTES``, only
    the beginning of the URL and the shortest headers are kept.

    Args:
        request: the request.
        keep_headers: True if the disconnect callback must repeat the headers.
    """
    headers = request.headers if keep_headers else {}
    packed = _pack(request.address, request.url, headers)
    if len(packed) <= MAX_PACKED_BYTES:
        return packed
    return _pack(request.address, shorten_url(request.url), _shortest(headers))


def unpack_request(packed: bytes) -> tuple[str, dict[str, Any]]:
    """Return the client's address and the callback's ``request``."""
    address, url, headers = _split(packed)
    return address, {"url": url, "headers": json.loads(headers)}


def address_and_url(packed: bytes) -> tuple[str, str]:
    """Return the client's address and the URL. The headers are not parsed."""
    address, url, _ = _split(packed)
    return address, url


def shorten_url(url: str) -> str:
    """Return a URL, cut to ``MAX_URL_CHARACTERS`` if it is longer."""
    return url if len(url) <= MAX_URL_CHARACTERS else f"{url[: MAX_URL_CHARACTERS - 1]}…"


def _pack(address: str, url: str, headers: Mapping[str, str | list[str]]) -> bytes:
    # The length of the address first, and the headers last: JSON has no raw line end, so both can
    # be split off, whatever the URL holds.
    head = f"{len(address)} {address}{url}\n".encode()
    packed = head + compact_json(dict(headers))
    # Level 1: 16 KB that cannot be compressed take 0.4 ms, and three times that at level 6.
    return packed if len(packed) <= _PLAIN_BYTES else zlib.compress(packed, 1)


def _split(packed: bytes) -> tuple[str, str, str]:
    """Return address, URL and the headers' JSON text."""
    text = (packed if packed[:1].isdigit() else zlib.decompress(packed)).decode()
    digits, _, rest = text.partition(" ")
    length = int(digits)
    url, _, headers = rest[length:].rpartition("\n")
    return rest[:length], url, headers


def _shortest(headers: Mapping[str, str | list[str]]) -> Headers:
    """Return as many of the shortest headers as fit, in their order."""
    room, kept = _ROOM_FOR_HEADERS, set()
    sizes = {name: len(name) + len(str(value)) for name, value in headers.items()}
    for name in sorted(sizes, key=sizes.__getitem__):
        room -= sizes[name]
        if room < 0:
            break
        kept.add(name)
    return {name: value for name, value in headers.items() if name in kept}
