"""Divergence 1 as a relation: Node's page or bare status, and our JSON."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.parity.judge.error_pages import are_one_error

_HTML = {"content-type": "text/html; charset=utf-8"}
_JSON = {"content-type": "application/json; charset=utf-8"}


def _ours(status: int, code: str) -> dict[str, Any]:
    return {"status": status, "headers": _JSON, "json": {"error": {"message": "m", "code": code}}}


def _page(status: int) -> dict[str, Any]:
    return {"status": status, "headers": _HTML, "body": "(html page)"}


@pytest.mark.parametrize(
    ("node", "ours"),
    [
        (_page(400), _ours(400, "INVALID_JSON")),
        (_page(500), _ours(400, "INVALID_JSON")),
        (_page(404), _ours(404, "NOT_FOUND")),
        (_page(413), _ours(413, "PAYLOAD_TOO_LARGE")),
        (_page(415), _ours(415, "UNSUPPORTED_ENCODING")),
    ],
)
def test_a_page_is_the_same_error_as_ours(node: Any, ours: Any) -> None:
    """A page is the same error as JSON with the same status, or as 400 if it is a 500."""
    assert are_one_error(node, ours)
    assert not are_one_error(ours, node)


@pytest.mark.parametrize(
    ("node", "ours"),
    [
        (_page(415), _ours(400, "INVALID_JSON")),
        (_page(400), _ours(400, "TOKEN_NOT_FOUND")),
        (_page(400), {"status": 200, "headers": _JSON, "json": {"status": "ok"}}),
        (_page(400), {**_ours(400, "INVALID_JSON"), "headers": _HTML}),
        (_page(400), _page(400) | {"body": "text"}),
        (_ours(400, "INVALID_JSON"), _ours(400, "NOT_FOUND")),
        (None, _ours(400, "INVALID_JSON")),
        (_page(500), _ours(500, "INVALID_JSON")),
    ],
)
def test_anything_else_is_a_difference(node: Any, ours: Any) -> None:
    """Another status, another code or another form is a difference."""
    assert not are_one_error(node, ours)


def _seen(*answers: dict[str, Any], connection: str = "closed") -> dict[str, Any]:
    return {"answers": list(answers), "connection": connection}


def test_a_bare_status_on_a_connection_is_the_same_error_as_ours() -> None:
    """A bare status is the same error if all other answers and the connection's end agree."""
    health = {"status": 200, "headers": _JSON, "cors": True, "body": '{"status":"ok"}'}
    bare = {"status": 400, "headers": {"connection": "close"}, "cors": False, "body": ""}
    body = '{"error":{"message":"m","code":"BAD_REQUEST"}}'
    ours = {**bare, "headers": {"connection": "close", **_JSON}, "cors": True, "body": body}
    assert are_one_error(_seen(health, bare), _seen(health, ours))
    assert not are_one_error(_seen(health, bare), _seen(health, ours, connection="served"))
    assert not are_one_error(_seen(health, bare), _seen(ours, ours))
    assert not are_one_error(_seen(bare), _seen({**ours, "status": 431}))
    assert not are_one_error(_seen(health, bare), _seen(health))
