"""The client reads the bytes of a stream as a browser does, however the network cuts them."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.http.sse_parser import SSEParser
from tests.support.processes.child import ROOT
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.needs("node")

SCRIPT = Path(__file__).with_name("wire.mjs")
MODULE = ROOT / "gateway_shim" / "static" / "sse-stream.js"

TOKENS = [
    *("data", "event", "id", "retry", "other", ":", ": ", " ", "x", "\0", "\ufeff", "€", "😀"),
    *("\n", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n", "data: a\n", "event: b\n", "id: c\n"),
]
"""The pieces of random streams."""


def read(streams: Iterable[list[bytes]]) -> list[dict[str, Any]]:
    """Read streams, which arrive in these pieces, with the client."""
    encoded = [[base64.b64encode(piece).decode() for piece in pieces] for pieces in streams]
    answer = subprocess.run(
        ["node", str(SCRIPT), str(MODULE)],
        input=json.dumps(encoded),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT,
    )
    assert answer.returncode == 0, answer.stderr
    results: list[dict[str, Any]] = json.loads(answer.stdout)
    return results


def in_bytes(stream: bytes) -> list[bytes]:
    """Return a stream in pieces of one byte."""
    return [bytes([byte]) for byte in stream]


def test_streams() -> None:
    """Random streams give the events of the standard, whole, byte by byte and cut at random."""
    dice = random.Random(15)
    streams = ["".join(dice.choices(TOKENS, k=dice.randrange(60))).encode() for _ in range(300)]
    expected = []
    for stream in streams:
        parser = SSEParser(strict=False)
        parser.feed(stream)
        parser.close()
        events = [[event.type, event.data, event.last_event_id] for event in parser.events]
        expected.append({"events": events, "cursor": parser.last_event_id})
    assert sum(len(each["events"]) for each in expected) > 100
    places = [sorted(dice.randrange(len(stream) + 1) for _ in range(3)) for stream in streams]
    for cut in (
        [[stream] for stream in streams],
        [in_bytes(stream) for stream in streams],
        [
            [stream[:a], stream[a:b], stream[b:c], stream[c:]]
            for stream, (a, b, c) in zip(streams, places, strict=True)
        ],
    ):
        results = read(cut)
        for result in results:
            del result["pause"]
        assert results == expected


def test_a_long_line() -> None:
    """A line that arrives in thousands of pieces is whole."""
    data = "€" * 1_000_000
    stream = f"id: 1\ndata: {data}\n\n".encode()
    (result,) = read([[stream[at : at + 500] for at in range(0, len(stream), 500)]])
    assert result["events"] == [["message", data, "1"]]


def test_the_pause_of_the_server() -> None:
    """The last ``retry`` of the stream counts, unless it is not a number or much too small."""
    cases = {
        "retry: 40000": 40_000,
        "retry: 10000\nretry: 40000": 40_000,
        "retry: 40000\nretry: 4e1\nretry: -1\nretry:\nretry: 1.5": 40_000,
        "retry: 1": 100,
        "retry: 99999999999999999999": 3_600_000,
    }
    streams = [[f"{field}\ndata: x\n\n".encode()] for field in cases]
    for case, (result, least) in zip(
        cases, zip(read(streams), cases.values(), strict=True), strict=True
    ):
        assert least - 50 < result["pause"] <= least * 1.5, case  # the pause has begun already
