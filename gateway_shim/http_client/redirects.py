"""Follows the redirects of a request. :meth:`HttpRequest.redirected` makes the next request."""

from __future__ import annotations

from collections.abc import Callable

from gateway_shim.errors import BadRedirect
from gateway_shim.http_client.answer import HttpAnswer
from gateway_shim.http_client.request import HttpRequest

__all__ = ["BROWSER_REDIRECTS", "CALLBACK_REDIRECTS", "follow_redirects"]

CALLBACK_REDIRECTS = 20
"""The number of redirects to follow in a callback to the backend, as Node's fetch does."""

BROWSER_REDIRECTS = 20
"""The number of redirects that browsers follow: for ``watch`` and for the version document."""


def follow_redirects(
    request: HttpRequest,
    send: Callable[[HttpRequest], HttpAnswer],
    *,
    limit: int,
    unread: Callable[[HttpAnswer], None],
) -> HttpAnswer:
    """Send a request, and follow its redirects.

    Args:
        request: the first request.
        send: sends a request and returns its answer.
        limit: the number of redirects to follow. With 0, a redirect is returned like any other
            answer.
        unread: takes over the redirects, whose bodies are not read, and closes them.

    Returns:
        The final answer.

    Raises:
        BadRedirect: a redirect cannot be followed, or there were more than ``limit``.
    """
    redirect: HttpAnswer | None = None
    for _ in range(limit + 1):
        try:
            answer = send(request)
        finally:
            # Only now: a server may close its connection after the redirect without announcing it,
            # and the next request would have been sent on this connection.
            if redirect is not None:
                unread(redirect)
        location = answer.location if limit else None
        if location is None:
            return answer
        redirect = answer
        try:
            request = request.redirected(answer.status, location)
        except BadRedirect:
            unread(redirect)
            raise
    if redirect is not None:
        unread(redirect)
    raise BadRedirect(f"more than {limit} redirects")
