"""A request as HTTP clients here send it, and what a redirect makes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway_shim.errors import BadRedirect, BadURL
from gateway_shim.http_client.web_url import WebURL, parse_web_url

__all__ = ["HttpRequest"]

_SHOWN_CHARACTERS = 100
_BODY_HEADERS = frozenset({"content-encoding", "content-language", "content-type"})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; each redirect is another one.

    Args:
        method: GET or POST.
        url: where to; its user name and password are sent as Basic authorization.
        headers: besides the usual ones, which they may replace.
        body: sent as it is.
        connect_seconds: time limit of connecting to one address.
        seconds: time limit of the answer's whole head, and then of each read of its body.
    """

    method: str
    url: WebURL
    headers: Mapping[str, str | bytes]
    body: bytes | None
    connect_seconds: float
    seconds: float

    def redirected(self, status: int, location: str) -> HttpRequest:
        """Return the request that follows a redirect (Fetch standard, "HTTP-redirect fetch").

        Args:
            status: of the redirect.
            location: where it leads, as the server wrote it.

        Raises:
            BadRedirect: it leads nowhere, or to a URL that brings its own credentials.
        """
        url = _target(self.url, location)
        method, body, dropped = self.method, self.body, frozenset[str]()
        if status == 303 or (status in (301, 302) and method == "POST"):
            method, body, dropped = "GET", None, _BODY_HEADERS
        if url.origin != self.url.origin:
            dropped |= _CREDENTIALS
        headers = {k: v for k, v in self.headers.items() if k.lower() not in dropped}
        return replace(self, method=method, url=url, headers=headers, body=body)


def _target(url: WebURL, location: str) -> WebURL:
    """Return where a redirect leads. The credentials of the URL before stay with their host.

    Raises:
        BadRedirect: nowhere, or to a URL with credentials of its own: no server chooses whom we
            are. Node's fetch refuses it, too.
    """
    try:
        target = parse_web_url(location, url)
    except BadURL as exc:
        # Without its query, which may repeat a secret of the URL before.
        shown = ascii(location.partition("?")[0][:_SHOWN_CHARACTERS])
        raise BadRedirect(f"a redirect leads to {shown}, which is not an http(s) URL") from exc
    if target.authorization is not None:
        raise BadRedirect("a redirect leads to a URL with a user name or a password of its own")
    return target.with_credentials_of(url)
