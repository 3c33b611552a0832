"""Generated answers of a backend."""

from __future__ import annotations

from gateway_shim.parity.fuzz.generation import answers
from gateway_shim.parity.fuzz.generation.dice import Dice
from gateway_shim.parity.reply import After, raw_bytes

_DICE = Dice("answers")
_REPLIES = [answers.raw(_DICE) for _ in range(3000)]
_RAW = [raw_bytes(reply.raw or "") for reply in _REPLIES]


def test_every_kind_of_fault_is_generated() -> None:
    """Faults occur in the status line, the headers, the framing, and the end of the answer."""
    text = b"\n".join(_RAW)
    for piece in (
        b"HTTP/1.1 103 Early", b"HTTP/1.1 101 ", b"\r\nnonsense\r\n", b"Content-Length: abc",
        b"Content-Length: -5", b"X: a\x01", b"\xc3\xa9", b" L\xe9", b"Location: \r\n", b" 407",
        b"Transfer-Encoding: gzip", b"zz\r\n", b"X : a", b"HTTP/2 ", b"HTTP/1.1 200 O\n",
    ):  # fmt: skip
        assert piece in text, piece
    assert any(raw.count(b"\r\n") > 150 for raw in _RAW)
    assert {reply.after for reply in _REPLIES} == set(After)
    assert {reply.times for reply in _REPLIES} == {1, 2, 19, 20, 21}


def test_diverging_answers_are_not_generated_as_bytes() -> None:
    """Diverging answers are never generated as bytes, because the model needs their fields."""
    for raw in _RAW:
        assert not raw.startswith((b"HTTP/1.1 100", b"HTTP/1.1 421"))
        assert b"\r\nHTTP/1.1 100" not in raw
    assert {answers.diverging(_DICE).raw for _ in range(50)} == {None}


def test_a_withheld_answer_is_incomplete() -> None:
    """A withheld answer is incomplete; otherwise the next request would have to wait behind it."""
    for reply, raw in zip(_REPLIES, _RAW, strict=True):
        if reply.after is After.WITHHOLD:
            framed = (b"Content-Length: 50", b"Transfer-Encoding: chunked", b"Connection: close")
            assert any(line in raw for line in framed)
            assert not raw.endswith(b"0\r\n\r\n")
