"""The secret that callbacks and sends must carry in production."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.api import secret as module
from app.api.secret import require_secret
from app.config import Settings
from app.errors import Unauthorized

SECRET = "s3cret-ü€/+&"
QUOTED = "s3cret-%C3%BC%E2%82%AC%2F%2B%26"
# The server decodes the UTF-8 bytes of a header as latin-1.
HEADER = SECRET.encode().decode("latin-1")


def passes(
    flask_env: Any = "production",
    secret: str | None = SECRET,
    query: str = "",
    headers: dict[str, str] | None = None,
) -> bool:
    """Return whether a request passes the check."""
    settings = Settings(_env_file=None, flask_env=flask_env, sse_callback_secret=secret)
    with Flask("small").test_request_context(f"/{query}", headers=headers):
        try:
            require_secret(settings)
        except Unauthorized:
            return False
        return True


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (f"?secret={QUOTED}", {}),
        ("", {"X-SSE-Secret": HEADER}),
        ("", {"x-sse-secret": HEADER}),
        (f"?secret={QUOTED}", {"X-SSE-Secret": "wrong"}),
        ("?secret=wrong", {"X-SSE-Secret": HEADER}),
    ],
)
def test_with_the_secret(query: str, headers: dict[str, str]) -> None:
    """The secret is accepted in the query and in the header."""
    assert passes(query=query, headers=headers)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("?secret=", {"X-SSE-Secret": ""}),
        ("?secret=wrong", {"X-SSE-Secret": "wrong"}),
        (f"?secret={QUOTED}x", {}),
        (f"?secret={QUOTED[:-3]}", {}),
        (f"?secret=wrong&secret={QUOTED}", {}),
        (f"?Secret={QUOTED}", {}),
        ("?secret=%ff%00", {"X-SSE-Secret": "\xff"}),
        ("", {"Authorization": f"Bearer {HEADER}"}),
        ("", {"X-SSE-Secret": SECRET.replace("€", "?")}),
    ],
)
def test_without_the_secret(query: str, headers: dict[str, str]) -> None:
    """A missing, wrong, partial, misspelled or misplaced secret is refused."""
    assert not passes(query=query, headers=headers)


def test_the_refusal_says_nothing_more() -> None:
    """The refusal does not say whether the secret was missing or wrong."""
    settings = Settings(_env_file=None, flask_env="production", sse_callback_secret=SECRET)
    with (
        Flask("small").test_request_context("/?secret=wrong"),
        pytest.raises(Unauthorized, match=r"^Unauthorized$") as raised,
    ):
        require_secret(settings)
    assert (raised.value.status, raised.value.details) == (401, None)


@pytest.mark.parametrize("secret", [None, ""])
@pytest.mark.parametrize("query", ["", "?secret=", "?secret=None"])
def test_without_a_configured_secret_every_request_is_refused(
    secret: str | None, query: str
) -> None:
    """Without a configured secret, no request passes."""
    assert not passes(secret=secret, query=query, headers={"X-SSE-Secret": ""})


@pytest.mark.parametrize("flask_env", ["development", "testing"])
@pytest.mark.parametrize("query", ["", "?secret=wrong"])
def test_outside_production(flask_env: str, query: str) -> None:
    """Outside production, every request passes."""
    assert passes(flask_env, query=query)


def test_the_comparison_takes_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both places are compared, with a function whose time reveals nothing."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return a == b

    monkeypatch.setattr(module.hmac, "compare_digest", compare)
    assert passes(query=f"?secret={QUOTED}", headers={"X-SSE-Secret": "wrong"})
    assert compared == [(SECRET.encode(), SECRET.encode()), (b"wrong", SECRET.encode())]
