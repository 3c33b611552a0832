"""Who may have a stream: the hook that a deployment writes for itself.

``SSE_AUTHORIZE=package.module:function`` names a function that sees each stream's request before
it opens. docs/operations.md has a worked example that checks a signed cookie.
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
"""What a hook returns for a stream that may open: None, True, or the user as a string."""

Authorize = Callable[[str, str, Headers], Verdict]
"""Takes a stream's request id, its raw request target and its headers (names in lower case).

Returns if the stream may open, raises :class:`Denied` if not. If it returns a string, the user,
then no stream of another user can replace this one while it lives. Must not block the event loop.
"""

MAX_USER_CHARACTERS = 200
"""The longest user that a hook may return; one is kept for each stream."""


class Denied(Exception):
    """A stream is refused.

    Args:
        status: the HTTP status that the browser gets; 400 to 599.
        reason: a few words, shown as the reason phrase where the dialect shows one.
    """

    def __init__(self, status: int = 403, reason: str = "Forbidden") -> None:
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError(f"a refusal's status is 400 to 599, not {status}")
        super().__init__(f"{status} {reason}")
        self.status = status
        # It ends up in a status line: nothing may be added to that.
        self.reason = "".join(c if " " <= c <= "~" else "?" for c in reason)


def allow_all(request_id: str, url: str, headers: Headers) -> None:
    """Let every stream open: what holds without ``SSE_AUTHORIZE``."""


def load_authorizer(path: str | None) -> Authorize:
    """Import the hook.

    Args:
        path: ``package.module:function``; None: :func:`allow_all`.

    Raises:
        InvalidSettings: there is no such function; says why.
    """
    if path is None:
        return allow_all
    module_name, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (Exception, SystemExit) as exc:
        # Whatever a foreign module raises while it is imported, its name is what helps.
        raise InvalidSettings(
            f"SSE_AUTHORIZE: cannot import {path!r}, which should be package.module:function"
            f" ({describe(exc)})"
        ) from exc
    if not callable(found):
        raise InvalidSettings(f"SSE_AUTHORIZE: {path} is no function")
    if inspect.iscoroutinefunction(found) or inspect.isgeneratorfunction(found):
        raise InvalidSettings(f"SSE_AUTHORIZE: {path} must be a plain function, not async def")
    return _fail_closed(found)


def _fail_closed(hook: Callable[[str, str, Headers], object]) -> Authorize:
    """The hook, whose own mistakes refuse the stream: an open door would be the worse mistake."""

    def authorize(request_id: str, url: str, headers: Headers) -> Verdict:
        try:
            return _checked(hook(request_id, url, headers))
        except (Denied, CallbackTimeout):
            raise
        except (Exception, gevent.Timeout) as exc:  # the hook may set itself a time limit
            logger.exception("the SSE_AUTHORIZE hook failed", extra={"request_id": request_id})
            raise Denied(500, "Authorization failed") from exc

    return authorize


def _checked(verdict: object) -> Verdict:
    """Return what a hook has returned, if it means that the stream may open.

    Raises:
        TypeError: it does not.
        ValueError: the user is empty or too long.
    """
    if verdict is None or verdict is True:
        return None
    if not isinstance(verdict, str):
        raise TypeError(
            f"it returned {text_of(verdict)}; it must return None, True or the user as a string,"
            " and to refuse it must raise Denied"
        )
    if not 0 < len(verdict) <= MAX_USER_CHARACTERS:
        raise ValueError(
            f"it returned a user of {len(verdict)} characters; a user has 1 to"
            f" {MAX_USER_CHARACTERS} characters, and to refuse it must raise Denied"
        )
    return str.__str__(verdict)  # exactly a str, whatever its class compares equal to
