"""The strict parser: what it accepts, and that each byte out of its place is an error."""

from __future__ import annotations

import pytest

from gateway_shim.protocol.event_stream import LAST_CHUNK, BodyFraming, Frame, frame
from tests.walks.checks.wire import Block, StreamParser, Torn

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
FRAMES = [
    frame(b": heartbeat\nid: e1-4\n\n"),
    frame(b"retry: 3000\nid: e1-5\ndata: one\n\n"),
    frame(b"event: own\ndata: two\n\n"),
    frame(b": heartbeat\n\n"),
]
BLOCKS = [
    ("comment", "e1-4", "", "", None),
    ("event", "e1-5", "", "one", 3000),
    ("event", "", "own", "two", None),
    ("comment", "", "", "", None),
]


def fields(block: Block) -> tuple[str, str, str, str, int | None]:
    """Return a block without its place."""
    return block.kind, block.id, block.name, block.data, block.retry


def body(frames: list[Frame], framing: BodyFraming) -> bytes:
    """Return the bytes of some frames."""
    return b"".join(item.in_form(framing) for item in frames)


@pytest.mark.parametrize("framing", BodyFraming)
def test_blocks(framing: BodyFraming) -> None:
    """The blocks are found, whole and byte by byte; the last one ends with the last byte."""
    data = HEAD + body(FRAMES, framing)
    parser = StreamParser(framing)
    blocks = [block for byte in data for block in parser.feed(bytes([byte]))]
    assert [fields(block) for block in blocks] == BLOCKS
    assert blocks == list(StreamParser(framing).feed(data))
    assert blocks[-1].end == len(data)
    assert parser.is_between_blocks


def test_the_end_of_a_body() -> None:
    """The last chunk ends the body, and nothing may follow it."""
    parser = StreamParser(BodyFraming.CHUNKED)
    *_, last = parser.feed(HEAD + body(FRAMES, BodyFraming.CHUNKED) + LAST_CHUNK)
    assert last.kind == "end"
    with pytest.raises(Torn, match="after the end"):
        list(parser.feed(b"1"))


@pytest.mark.parametrize("position", range(len(body(FRAMES[:3], BodyFraming.CHUNKED)) - 1))
def test_a_lost_byte_is_noticed(position: int) -> None:
    """If any byte of three frames is lost, an error is raised, or a block differs."""
    data = body(FRAMES, BodyFraming.CHUNKED)
    parser = StreamParser(BodyFraming.CHUNKED)
    found: list[object] = []
    try:
        found += map(fields, parser.feed(HEAD + data[:position] + data[position + 1 :]))
    except Torn:
        return
    assert found != BLOCKS or not parser.is_between_blocks


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
        HEAD + b"zz",
        HEAD + b"0\r\nx",
        HEAD + b"00000000001\r\n",
        HEAD + b"4\r\n: x\n\r\n",
        HEAD + frame(b"data: a\nid: e1-1\n\n").chunked,
        HEAD + frame(b": heartbeat\nid: e1-01\n\n").chunked,
        HEAD + frame(b"data: a\n").chunked,
    ],
)
def test_what_is_not_a_stream(data: bytes) -> None:
    """Other bytes than those of a stream are an error."""
    with pytest.raises(Torn):
        list(StreamParser(BodyFraming.CHUNKED).feed(data))
