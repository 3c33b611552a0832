"""A hook for SSE_AUTHORIZE that lets nobody in, and fails for some."""

from __future__ import annotations

from app.services.authorization import Denied


def deny(request_id: str, url: str, headers: object) -> None:
    """Deny every stream with a long reason; fail for the request id ``fail``."""
    if request_id == "fail":
        raise RuntimeError(url)
    raise Denied(403, "x" * 7000)
