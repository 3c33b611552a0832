"""The routes of a gateway: which kind of answer a request asks for. Pure.

Source: the gateway contract (docs/contract.md), section "Endpoints".
"""

from __future__ import annotations

import re
from enum import Enum

__all__ = ["Route", "path_of", "route"]


class Route(Enum):
    """The kinds of answers that a request can ask for."""

    STREAM = "stream"
    STREAM_HEAD = "stream head"
    SEND = "send"
    HEALTH = "health"
    READY = "ready"
    OPTIONS = "options"
    NOT_FOUND = "not found"


_SCHEMES_WITH_ROOT = frozenset({"http", "https", "ws", "wss", "ftp", "file"})
_ABSOLUTE = re.compile(r"(?P<scheme>[^:/?#]+)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)")


def path_of(target: str) -> str:
    """Return the path of a raw request target, without query and fragment.

    Percent-escapes are not decoded. An absolute target (``GET http://host/path``) loses its scheme
    and its host. If an absolute target has no path, the result is ``/`` for a host with a scheme
    that always has a path, as in Node; otherwise the result is empty.
    """
    if target.startswith("/"):
        return target.partition("?")[0].partition("#")[0]
    found = _ABSOLUTE.match(target)
    if found is None:
        return target
    has_root = found["authority"] and found["scheme"].lower() in _SCHEMES_WITH_ROOT
    return found["path"] or ("/" if has_root else "")


def route(method: str, target: str) -> Route:
    """Return the kind of answer that a request asks for.

    Args:
        method: the request method, in capital letters.
        target: the raw request target, query included.
    """
    if method == "OPTIONS":
        return Route.OPTIONS
    path = path_of(target).lower()
    if not path.startswith("/"):
        return Route.NOT_FOUND
    path = path[:-1] if len(path) > 1 and path.endswith("/") else path
    if method in ("GET", "HEAD"):
        if path == "/healthz":
            return Route.HEALTH
        if path == "/readyz":
            return Route.READY
        # Divergence 5: HEAD opens no stream and calls no backend.
        return Route.STREAM if method == "GET" else Route.STREAM_HEAD
    if method == "POST" and path == "/internal/send":
        return Route.SEND
    return Route.NOT_FOUND
