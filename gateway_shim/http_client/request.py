"""A request to another server, and the request that follows its redirect. Pure."""

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
    """One request. A redirect is followed by another request.

    Args:
        method: GET or POST.
        url: the URL; its user name and password are sent as Basic authorization.
        headers: further headers; they replace the usual headers of the same name.
        body: the body, which is sent unchanged; None: no body.
        connect_seconds: the time limit for connecting to one address.
        seconds: the time limit for the whole head of the answer, and for each read of its body.
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
            status: the status of the redirect.
            location: the target of the redirect, as the server wrote it.

        Raises:
            BadRedirect: the target is not an http(s) URL, or is a URL with credentials.
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
    """Return the target of a redirect. It gets the credentials of ``url`` if the host is the same.

    Raises:
        BadRedirect: the target is not an http(s) URL, or is a URL with credentials: a server must
            not choose our user name. Node's fetch refuses it, too.
    """
    try:
        target = parse_web_url(location, url)
    except BadURL as exc:
        # The query is left out, because it may repeat a secret of the first URL.
        shown = ascii(location.partition("?")[0][:_SHOWN_CHARACTERS])
        raise BadRedirect(f"a redirect leads to {shown}, which is not an http(s) URL") from exc
    if target.authorization is not None:
        raise BadRedirect("a redirect leads to a URL with a user name or a password")
    return target.with_credentials_of(url)
