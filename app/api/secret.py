"""The secret that callbacks and sends need in production."""

from __future__ import annotations

import hmac

from flask import request

from app.config import Settings
from app.errors import Unauthorized

__all__ = ["require_secret", "shows_secret"]

_HEADER = "X-SSE-Secret"


def require_secret(settings: Settings) -> None:
    """Let the current request pass only if it may.

    In production it must show the secret: in ``?secret=``, or, out of access logs, in the header
    ``X-SSE-Secret``.

    Raises:
        Unauthorized: it does not, or no secret is configured.
    """
    if settings.is_production and not shows_secret(settings):
        raise Unauthorized("Unauthorized")


def shows_secret(settings: Settings) -> bool:
    """Return whether the current request shows the secret; False if none is configured."""
    if settings.sse_callback_secret is None:
        return False
    secret = settings.sse_callback_secret.get_secret_value().encode()
    # A header arrives decoded as latin-1: this gives back the bytes that were sent.
    shown = (
        request.args.get("secret", "").encode(),
        request.headers.get(_HEADER, "").encode("latin-1"),
    )
    # Both are compared, whatever the first one says: the time tells nothing.
    matches = [hmac.compare_digest(candidate, secret) for candidate in shown]
    return bool(secret) and any(matches)
