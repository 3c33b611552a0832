"""Detects, by the headers of a request, that a page of another origin has sent it.

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

    If ``Sec-Fetch-Site`` is present, it decides: it says what the browser saw, even behind a proxy
    that rewrites ``Host``. ``same-site`` is another origin, such as another port of localhost, and
    counts as cross-site. Browsers omit the header at ``http://`` addresses of other machines, and
    old browsers always omit it. Then ``Origin`` must name the ``Host``. A request with neither
    header does not come from a page of another origin: it comes from curl, from a server, or from
    a page that reads from its own origin.

    Args:
        header: returns the value of a request header by its name in lower case.
        origins: the allowed origins; ``*`` allows all.
    """
    origin = header("origin")
    if "*" in origins or origin in origins:
        return False
    site = header("sec-fetch-site")
    if site is not None:
        return site not in _OWN
    return origin is not None and not _belongs_to(origin, header("host"))


def _belongs_to(origin: str, host: str | None) -> bool:
    """Return whether an origin belongs to a host. It is unknown whether the host uses TLS."""
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host or ''}")
        default = _DEFAULT_PORTS[page.scheme]
        return (page.hostname, page.port or default) == (server.hostname, server.port or default)
    except (KeyError, ValueError):  # "null", the scheme of an extension, an unbalanced bracket
        return False
