"""Recognizes the ordinary head of a request for a stream, without the parser. Pure.

Nearly all streams are requested by browsers and proxies in one plain form: ``GET``, a path,
``HTTP/1.1``, and a few headers that occur once each. :func:`ordinary_head` recognizes this form in
a tenth of the parser's time. It knows nothing else: whatever could be read in two ways, has a body,
or needs a rule of its own is left to the parser (:mod:`gateway_shim.server.requests.request`).
So each head that is recognized here is one that the parser accepts, too, with the same target and
the same headers; tests/gateway_shim/server/requests/test_ordinary_head.py compares the two.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway_shim.protocol.stream_request import Headers

__all__ = ["MAX_BYTES", "MAX_HEADERS", "OrdinaryHead", "ordinary_head"]

MAX_BYTES = 8192
"""The longest head that is recognized, bytes. The parser accepts longer ones."""

MAX_HEADERS = 100
"""The largest number of headers that are recognized."""

# The target: a path, not a URL and not the network-path reference "//host". The names: tokens (RFC
# 9110, section 5.6.2) without "_", for which gunicorn has a policy. The values: printable ASCII,
# spaces and tabs, so there is no bare CR or LF, and no continued line. Possessive quantifiers, so
# that no head makes the expression try again.
_HEAD = re.compile(
    rb"GET (/(?!/)[!-~]*+) HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+\-.^`|~0-9A-Za-z]++:[ -~\t]*+\r\n)++)\r\n"
)

# Headers that frame a body, change the protocol, or are joined as lists.
_LEFT_TO_PARSER = frozenset(
    {
        "content-length",
        "transfer-encoding",
        "trailer",
        "te",
        "expect",
        "upgrade",
        "http2-settings",
        "set-cookie",
    }
)

_ORDINARY_CONNECTION = frozenset({"keep-alive", "close"})


class OrdinaryHead(NamedTuple):
    """The head of an ordinary request.

    Args:
        target: the request target.
        headers: the headers, as :func:`gateway_shim.protocol.stream_request.join_headers` returns
            them.
    """

    target: str
    headers: Headers


def ordinary_head(data: bytes) -> OrdinaryHead | None:
    """Return the head of an ordinary GET request; None if the parser must decide.

    Args:
        data: the first bytes of a connection. Bytes after the head are ignored.
    """
    found = _HEAD.match(data, 0, MAX_BYTES)
    if found is None:
        return None
    lines = found[2].decode("ascii").split("\r\n")
    lines.pop()  # the empty text behind the last line end
    if len(lines) > MAX_HEADERS:
        return None
    headers: Headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" \t")
    if len(headers) != len(lines) or "host" not in headers:
        return None
    if not _LEFT_TO_PARSER.isdisjoint(headers):
        return None
    if str(headers.get("connection", "close")).lower() not in _ORDINARY_CONNECTION:
        return None
    return OrdinaryHead(found[1].decode("ascii"), headers)
