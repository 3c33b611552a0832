"""A hook for SSE_AUTHORIZE that requires a cookie or a header."""

from __future__ import annotations

from collections.abc import Mapping

from app.services.authorization import Denied


def authorize(request_id: str, url: str, headers: Mapping[str, str | list[str]]) -> None:
    """Allow a request with the cookie ``pass=good`` or the header ``Authorization: good``."""
    if "pass=good" not in str(headers.get("cookie")) and headers.get("authorization") != "good":
        raise Denied(403, "No pass")
