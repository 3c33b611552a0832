"""Decides who may open a stream, with the hook that a deployment provides.

``SSE_AUTHORIZE=package.module:function`` names a function that gets each stream's request before
the stream opens. docs/operations.md has a worked example that checks a signed cookie.
"""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Callable, Mapping

import gevent

from app.config import InvalidSettings
from gateway_shim.log_lines.safe_text import describe, text_of
from gateway_shim.streams.callbacks.backend import CallbackTimeout

__all__ = ["MAX_USER_CHARACTERS", "Authorize", "Denied", "Verdict", "allow_all", "load_authorizer"]

logger = logging.getLogger(__name__)

Headers = Mapping[str, str | list[str]]

Verdict = str | bool | None
"""The return value of a hook for a stream that may open: None, True, or the user as a string."""

Authorize = Callable[[str, str, Headers], Verdict]
"""Takes a stream's request id, its raw request target and its headers (names in lower case).

Returns if the stream may open, and raises :class:`Denied` if it may not. If it returns a string,
the user, then no stream of another user can replace this one while it is open. It must not block
the event loop.
"""

MAX_USER_CHARACTERS = 200
"""The length of the longest user that a hook may return. A user is stored for each stream."""


class Denied(Exception):
    """A stream is refused.

    Args:
        status: the HTTP status that the browser gets: 400 to 599.
        reason: a few words. They are the reason phrase, in dialects that show one.
    """

    def __init__(self, status: int = 403, reason: str = "Forbidden") -> None:
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError(f"the status of a refusal must be 400 to 599, not {status}")
        super().__init__(f"{status} {reason}")
        self.status = status
        # The reason becomes part of a status line, so it must not be able to add header lines.
        self.reason = "".join(c if " " <= c <= "~" else "?" for c in reason)


def allow_all(request_id: str, url: str, headers: Headers) -> None:
    """Let every stream open. This is the hook if ``SSE_AUTHORIZE`` is not set."""


def load_authorizer(path: str | None) -> Authorize:
    """Import the hook.

    Args:
        path: ``package.module:function``; None: :func:`allow_all`.

    Raises:
        InvalidSettings: there is no such function; the message says why.
    """
    if path is None:
        return allow_all
    module_name, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (Exception, SystemExit) as exc:
        # A module of the deployment may raise anything while it is imported.
        raise InvalidSettings(
            f"SSE_AUTHORIZE: cannot import {path!r}, which should be package.module:function"
            f" ({describe(exc)})"
        ) from exc
    if not callable(found):
        raise InvalidSettings(f"SSE_AUTHORIZE: {path} is not a function")
    if inspect.iscoroutinefunction(found) or inspect.isgeneratorfunction(found):
        raise InvalidSettings(f"SSE_AUTHORIZE: {path} must be a plain function, not async def")
    return _fail_closed(found)


def _fail_closed(hook: Callable[[str, str, Headers], object]) -> Authorize:
    """Return a hook that refuses the stream if the given hook fails.

    Opening the stream of an unknown client would be worse than refusing a permitted one.
    """

    def authorize(request_id: str, url: str, headers: Headers) -> Verdict:
        try:
            return _check_verdict(hook(request_id, url, headers))
        except (Denied, CallbackTimeout):
            raise
        except (Exception, gevent.Timeout) as exc:  # the hook may set a time limit for itself
            logger.exception("the SSE_AUTHORIZE hook failed", extra={"request_id": request_id})
            raise Denied(500, "Authorization failed") from exc

    return authorize


def _check_verdict(verdict: object) -> Verdict:
    """Return a hook's return value if it means that the stream may open.

    Raises:
        TypeError: the value is neither None, True nor a string.
        ValueError: the user is empty or too long.
    """
    if verdict is None or verdict is True:
        return None
    if not isinstance(verdict, str):
        raise TypeError(
            f"the hook returned {text_of(verdict)}; it must return None, True or the user as a"
            " string, and to refuse a stream it must raise Denied"
        )
    if not 0 < len(verdict) <= MAX_USER_CHARACTERS:
        raise ValueError(
            f"the hook returned a user of {len(verdict)} characters; a user has 1 to"
            f" {MAX_USER_CHARACTERS} characters, and to refuse a stream the hook must raise Denied"
        )
    return str.__str__(verdict)  # a plain str; a subclass could redefine comparisons
