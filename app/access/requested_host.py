"""Finds the requested host of a request: if the target is a whole URL, the host is in the target.

Source: RFC 9112, section 3.2.2. A server that checked ``Host`` only would check another name than
the requested one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["Header", "with_requested_host"]

_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?([^/?#@]+)")

Header = Callable[[str], str | None]
"""Returns the value of a request header by its name in lower case; None if it is missing."""


def with_requested_host(target: str, header: Header) -> Header:
    """Return a request's headers, with the requested host in place of ``Host``.

    Args:
        target: the raw request target.
        header: the headers as they were sent.
    """
    found = None if target.startswith("/") else _AUTHORITY.match(target)
    if found is None:
        return header
    host = found[1]

    def replaced(name: str) -> str | None:
        return host if name == "host" else header(name)

    return replaced
