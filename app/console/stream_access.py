"""Lets the console open its stream where ``SSE_AUTHORIZE`` would refuse it.

The hook of a deployment knows the users of the deployment's application. It does not know the
console, whose users have the password.
"""

from __future__ import annotations

import logging

from werkzeug.http import parse_cookie

from app.console.session import COOKIE, Sessions
from app.services.authorization import Authorize, Denied, Headers, Verdict, allow_all

__all__ = ["admit_console"]

logger = logging.getLogger(__name__)


def admit_console(hook: Authorize, sessions: Sessions) -> Authorize:
    """Return a hook that lets a stream with a session open if the given hook refuses it.

    Such a stream has no user: it gets the events for everyone and for its request id.

    Args:
        hook: the hook of the deployment.
        sessions: checks the cookies.
    """
    if hook is allow_all or not sessions.are_needed:
        return hook

    def authorize(request_id: str, url: str, headers: Headers) -> Verdict:
        try:
            return hook(request_id, url, headers)
        except Denied:
            if not _has_session(headers, sessions):
                raise
        logger.debug("a stream of the console was admitted", extra={"request_id": request_id})
        return None

    return authorize


def _has_session(headers: Headers, sessions: Sessions) -> bool:
    value = headers.get("cookie", "")
    # A gateway in another process may send a list.
    text = value if isinstance(value, str) else "; ".join(value)
    return sessions.is_valid(parse_cookie(text).get(COOKIE))
