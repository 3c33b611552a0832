"""A hook for SSE_AUTHORIZE that denies every stream, and fails for one request id."""

from __future__ import annotations

from app.services.authorization import Denied


def deny(request_id: str, url: str, headers: object) -> None:
    """Deny every stream with a long reason, and raise an error for the request id ``fail``."""
    if request_id == "fail":
        raise RuntimeError(url)
    raise Denied(403, "x" * 7000)
