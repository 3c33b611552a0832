"""The secret that callbacks and sends must carry in production."""

from __future__ import annotations

import hmac

from flask import request

from app.config import Settings
from app.errors import Unauthorized

__all__ = ["carries_secret", "require_secret"]

_HEADER = "X-SSE-Secret"


def require_secret(settings: Settings) -> None:
    """Check that the current request carries the secret. Only production requires the secret.

    The secret is in ``?secret=``, or in the header ``X-SSE-Secret``, which access logs do not show.

    Raises:
        Unauthorized: the secret is missing or wrong, or no secret is configured.
    """
    if settings.is_production and not carries_secret(settings):
        raise Unauthorized("Unauthorized")


def carries_secret(settings: Settings) -> bool:
    """Return whether the current request carries the secret; False if none is configured."""
    if settings.sse_callback_secret is None:
        return False
    secret = settings.sse_callback_secret.get_secret_value().encode()
    # A header arrives decoded as latin-1; this restores the bytes that were sent.
    candidates = (
        request.args.get("secret", "").encode(),
        request.headers.get(_HEADER, "").encode("latin-1"),
    )
    # Both are always compared, so that an attacker learns nothing from the time of the answer.
    matches = [hmac.compare_digest(candidate, secret) for candidate in candidates]
    return bool(secret) and any(matches)
