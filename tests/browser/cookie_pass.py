"""An SSE_AUTHORIZE hook that wants a cookie, or the same in a header."""

from __future__ import annotations

from collections.abc import Mapping

from app.services.authorization import Denied


def authorize(request_id: str, url: str, headers: Mapping[str, str | list[str]]) -> None:
    """Let a request pass that shows ``pass=good`` or ``Authorization: good``."""
    if "pass=good" not in str(headers.get("cookie")) and headers.get("authorization") != "good":
        raise Denied(403, "No pass")
