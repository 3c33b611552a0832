"""Streams of the console where a hook decides about streams."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from app.console.session import Sessions
from app.console.stream_access import admit_console
from app.services.authorization import Denied, Headers, Verdict, allow_all


@pytest.fixture(scope="module")
def sessions() -> Sessions:
    """Return the sessions of a server with a password."""
    return Sessions(SecretStr("correct horse"))


def ask_for_a_user(request_id: str, url: str, headers: Headers) -> Verdict:
    """Let users in, and refuse everybody else."""
    if "user=ann" not in str(headers.get("cookie")):
        raise Denied(401, "Sign in")
    return "ann"


def verdict(sessions: Sessions, *cookies: str) -> Verdict:
    """Return the verdict about a stream request; ``{}`` stands for the value of a session."""
    sent = [cookie.format(sessions.new_cookie()) for cookie in cookies]
    headers = {"cookie": sent[0] if len(sent) == 1 else sent}
    return admit_console(ask_for_a_user, sessions)("me", "/s?request_id=me", headers)


@pytest.mark.parametrize(
    "cookies", [["sse_console={}"], ["a=b; sse_console={}; c"], ["a=b", "sse_console={}"]]
)
def test_a_session_opens_a_stream(sessions: Sessions, cookies: list[str]) -> None:
    """A stream that the hook refuses opens with a session, as the stream of nobody."""
    assert verdict(sessions, *cookies) is None


def test_the_hook_comes_first(sessions: Sessions) -> None:
    """A stream that the hook accepts belongs to the user that the hook names."""
    assert verdict(sessions, "user=ann; sse_console={}") == "ann"


@pytest.mark.parametrize(
    "cookie", ["", "sse_console=", "sse_console=x{}", "sse_console=console.x.y", "x_console={}"]
)
def test_without_a_session_the_hook_decides(sessions: Sessions, cookie: str) -> None:
    """Without a valid cookie, the refusal of the hook stands."""
    with pytest.raises(Denied, match="401 Sign in"):
        verdict(sessions, cookie)


def test_without_a_password_the_hook_decides(sessions: Sessions) -> None:
    """Without a password there are no sessions, so the hook stays as it is."""
    assert admit_console(ask_for_a_user, Sessions(None)) is ask_for_a_user
    assert admit_console(allow_all, sessions) is allow_all
