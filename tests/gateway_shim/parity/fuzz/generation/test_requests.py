"""Generated requests besides streams."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation import requests
from gateway_shim.parity.fuzz.generation.dice import Dice
from gateway_shim.parity.raw_steps import part_bytes
from gateway_shim.parity.steps import Raw

_DICE = Dice("requests")
_ODD = [step for _ in range(2000) for step in requests.odd(_DICE).steps if isinstance(step, Raw)]


def test_every_kind_of_odd_request_is_generated() -> None:
    """Faulty heads of every kind, every framing of bodies and unknown methods occur."""
    sent = b"".join(part_bytes(step.parts, None) for step in _ODD)
    for piece in (
        b"GET /x HTTP/1.1\r\n\r\n", b"Host: a\r\nHost: b\r\n", b" HTTP/1.2\r\n", b"\r\n\r\n\r\nGET",
        b"X : a", b"X: a\0b", b"X899: a\r\n", b"Content-Length: +1", b"zz\r\n{}", b"FOO * HTTP",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked", b"a" * 16_200,
    ):  # fmt: skip
        assert piece in sent, piece


def test_long_requests_stay_short_in_a_report() -> None:
    """Repetitions keep the text of a long request short."""
    assert max(len(str(step.parts)) for step in _ODD) < 400


def test_a_stream_has_no_head_request() -> None:
    """HEAD never has a stream's path, where a Node gateway would open a stream without an end."""
    heads = [part_bytes(step.parts, None) for step in _ODD if step.awaits == ("HEAD",)]
    assert heads
    assert all(head.startswith(b"HEAD /healthz ") for head in heads)


def test_bodies_and_content_types_are_generated() -> None:
    """Known and unknown charsets and JSON of any depth occur."""
    posts = [requests.post(_DICE) for _ in range(2000)]
    kinds = {post.content_type for post in posts}
    assert {None, "application/json; charset=utf-16", "json"} <= kinds
    assert any("[" * 1000 in post.raw for post in posts)


def test_unexpected_bodies_are_generated() -> None:
    """GET and OPTIONS occur with a body."""
    asked = [requests.whole(_DICE) for _ in range(500)]
    assert {request.method for request in asked if request.body} == {"GET", "OPTIONS"}
