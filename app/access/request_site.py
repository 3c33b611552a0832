"""Tells from its headers whether a page of another origin has sent a request.

Source: Fetch Metadata Request Headers (W3C), section "The Sec-Fetch-Site HTTP Request Header".
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

__all__ = ["is_cross_site"]

_OWN = ("same-origin", "none")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_cross_site(header: Callable[[str], str | None], origins: Collection[str]) -> bool:
    """Return whether a request comes from a page whose origin is not allowed.

    ``Sec-Fetch-Site`` decides where it is there: it says what the browser saw, also through a
    proxy that rewrites ``Host``. ``same-site`` is another origin, such as another port of
    localhost, and counts as cross-site. Browsers leave the header out at ``http://`` addresses of
    other machines, and old ones always do; then ``Origin`` must name the ``Host``. Whoever sends
    neither is not a page: curl, a server, or a page that reads from its own origin.

    Args:
        header: returns the value of a request header, by its name in lower case.
        origins: the allowed origins; ``*`` allows all.
    """
    origin = header("origin")
    if "*" in origins or origin in origins:
        return False
    site = header("sec-fetch-site")
    if site is not None:
        return site not in _OWN
    return origin is not None and not _names(origin, header("host"))


def _names(origin: str, host: str | None) -> bool:
    """Return whether an origin is that of a host; whether the host has TLS is not known."""
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host or ''}")
        default = _DEFAULT_PORTS[page.scheme]
        return (page.hostname, page.port or default) == (server.hostname, server.port or default)
    except (KeyError, ValueError):  # "null", a scheme of an extension, half a bracket
        return False
