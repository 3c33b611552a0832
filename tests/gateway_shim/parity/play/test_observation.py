"""Observations in the form of the recordings."""

from __future__ import annotations

import pytest

from gateway_shim.parity.play import observation
from gateway_shim.parity.play.probe import Head, ProbeConnection, request_bytes
from gateway_shim.parity.play.session import Callback
from tests.gateway_shim.parity.fixed_answer import answering

_TOKENS = ("11111111-2222-4333-8444-555555555555", "99999999-2222-4333-9444-555555555555")


def _answer(raw: bytes) -> ProbeConnection:
    with answering(raw) as port:
        connection = ProbeConnection("127.0.0.1", port)
        connection.write(request_bytes("POST", "/"))
        connection.read_head(5)
        connection.read_to_end(5)
        connection.close()
    return connection


def test_a_head_is_its_status_and_the_headers_that_matter() -> None:
    """A head has lower-case header names, without dates and lengths."""
    pairs = (("Content-Type", "a/b"), ("Date", "x"), ("Content-Length", "1"), ("VIA", "y"))
    head = Head(b"", "HTTP/1.1", 200, "OK", pairs)
    assert observation.head(head) == {"status": 200, "headers": {"content-type": "a/b"}}
    assert observation.head(None) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            b"Content-Type: application/json\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}',
            {"headers": {"content-type": "application/json"}, "json": {"a": 1}},
        ),
        (
            b"Content-Type: text/html; charset=utf-8\r\nContent-Length: 4\r\n\r\n<p/>",
            {"headers": {"content-type": "text/html; charset=utf-8"}, "body": "(html page)"},
        ),
        (b"Content-Length: 1\r\n\r\n\xff", {"headers": {}, "body": "\\xff"}),
    ],
)
def test_an_answer_is_json_a_page_or_text(raw: bytes, expected: dict[str, object]) -> None:
    """An HTML page is only named, and invalid UTF-8 is shown as escapes."""
    seen = observation.answer(_answer(b"HTTP/1.1 400 Bad Request\r\n" + raw))
    assert seen == {"status": 400, **expected}


def test_a_callback_shows_its_method_only_if_it_is_wrong() -> None:
    """A callback shows its method only if it is not POST."""
    plain = {"path": "/p", "content_type": "c", "json": {"a": 1}}
    assert observation.callback(Callback("POST", "/p", "c", {"a": 1})) == plain
    assert observation.callback(Callback("PUT", "/p", "c", {"a": 1})) == {"method": "PUT", **plain}


def test_tokens_are_numbered_in_order_of_appearance() -> None:
    """A token has the same number everywhere; other UUIDs stay."""
    one, two = _TOKENS
    seen = {"a": [two, f"x {one}"], "b": {"c": two}, "d": one.replace("-4", "-1"), "n": None}
    assert observation.normalise(seen) == {
        "a": ["$TOKEN1", "x $TOKEN2"],
        "b": {"c": "$TOKEN1"},
        "d": "11111111-2222-1333-8444-555555555555",
        "n": None,
    }


def test_a_template_is_filled_in() -> None:
    """Known placeholders are replaced; everything else stands for itself."""
    template = {"a": "$body:x:y", "b": ["$all", "$T", "$body"], "c": 1, "$body:k": None}
    seen = observation.resolve(template, {"body": lambda name: f"<{name}>", "all": lambda _n: []})
    assert seen == {"a": "<x:y>", "b": [[], "$T", "<>"], "c": 1, "$body:k": None}
