"""A browser's request for a stream: as the backend gets to see it, and as it is kept. Pure.

Source: the gateway contract (docs/contract.md), "A stream's life", step 2.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway_shim.contract import compact_json

__all__ = ["Headers", "StreamRequest", "join_headers", "pack_request", "unpack_request"]

Headers = dict[str, str | list[str]]
"""A request's headers as a callback shows them."""

# Of these, a repetition is dropped and the first one stays. The list is Node's, whose http
# module did the joining that the recordings show.
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
    """Join a request's headers as the callback shows them; "A stream's life", step 2.

    Args:
        pairs: names and values in the order of the request, values decoded as latin-1.

    Returns:
        Lower-case names; repeated values joined with ``", "``, cookies with ``"; "``. Only
        ``set-cookie`` is a list, always.
    """
    joined: Headers = {}
    for raw_name, value in pairs:
        name = raw_name.lower()
        known = joined.get(name)
        if known is None:
            joined[name] = [value] if name == "set-cookie" else value
        elif isinstance(known, list):
            known.append(value)
        elif name not in _FIRST_WINS:
            joined[name] = known + ("; " if name == "cookie" else ", ") + value
    return joined


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A browser's request for a stream, as the backend gets to see it.

    Args:
        url: the raw request target.
        headers: as :func:`join_headers` returns them.
        http_1_0: whether the client cannot take a chunked body.
        address: the client's address, for logs and limits; empty if unknown.
    """

    url: str
    headers: Mapping[str, str | list[str]]
    http_1_0: bool = False
    address: str = ""


def pack_request(request: StreamRequest) -> bytes:
    """A stream's request in compact form, kept for as long as the stream lives.

    A browser's twelve headers take about 1 KB so; as a dict of strings they take twice that.
    """
    return compact_json([request.address, {"url": request.url, "headers": dict(request.headers)}])


def unpack_request(packed: bytes) -> tuple[str, dict[str, Any]]:
    """The client's address and the callback's ``request`` again."""
    address, request = json.loads(packed)
    return address, request
