"""Cases: whether they can be played, and what is observed."""

from __future__ import annotations

import dataclasses

import pytest

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.reply import Reply
from gateway_shim.parity.steps import (
    AwaitCallback,
    Drop,
    End,
    Fence,
    Gone,
    Open,
    Post,
    Raw,
    Request,
    Send,
    SendCompressed,
)


@pytest.mark.parametrize(
    ("steps", "playable"),
    [
        ((Open("a"), Fence("a")), True),
        ((Fence("a"),), False),
        ((Open("a"), Open("a")), False),
        ((Open("a"), Drop("a"), Fence("a")), False),
        ((Open("a"), Drop("a"), AwaitCallback("a"), Send({}, stream="a")), True),
        ((Open("a"), AwaitCallback("a")), False),
        ((Open("a"), Send({"close": True}, stream="a"), AwaitCallback("a")), True),
        ((Open("a", reply=Reply(sends=({"close": True},))), AwaitCallback("a")), True),
        ((Post("x"), Request("GET", "/")), True),
        ((Raw(("GET / HTTP/1.1\r\n\r\n",)),), True),
        ((SendCompressed({}, "gzip", "gzip", stream="a"),), False),
    ],
)
def test_a_playable_case_is_recognized(
    steps: tuple[Open | Fence | Drop, ...], playable: bool
) -> None:
    """A step needs a stream that is open, and an awaited end must be able to come."""
    assert Case(steps).is_playable() is playable


def test_an_unplayable_replay_is_refused() -> None:
    """A case that cannot be played raises a ValueError."""
    with pytest.raises(ValueError, match="a stream that is not open"):
        Case.from_json('[{"do":"Fence"}]')


def test_a_case_observes_everything() -> None:
    """Every step is observed, and a body only if it has been read."""
    steps = (
        Open("a"),
        Fence("a"),
        Open("b"),
        Open("h", method="HEAD"),
        Send({"x": 1}, stream="a"),
        Post("p"),
        Request("PUT", "/"),
        Gone(stream="b"),
        End("a"),
    )
    scenario = Case(steps).scenario()
    assert scenario.observe == {
        "0.callbacks": "$callbacks_of:a",
        "0.head": "$head:a",
        "0.body": "$body:a",
        "0.ended": "$ended:a",
        "1.bytes": "$value:bytes:1",
        "2.callbacks": "$callbacks_of:b",
        "2.head": "$head:b",
        "3.asked": "$asked:h",
        "3.head": "$head:h",
        "4.answer": "$answer:4",
        "5.answer": "$answer:5",
        "6.answer": {
            "status": "$status:6",
            "headers": {"content-type": "$header:6:content-type"},
            "body": "$body:6",
        },
        "7.answer": "$answer:7",
        "during": "$during",
    }
    assert scenario.steps == (
        Open("a"),
        Fence("a", keep="1"),
        Open("b"),
        Open("h", method="HEAD"),
        Send({"x": 1}, "4", "a"),
        Post("p", name="5"),
        Request("PUT", "/", name="6"),
        Gone("7", "b"),
        End("a"),
    )


def test_odd_requests_are_observed_with_all_callbacks() -> None:
    """Raw requests, compressed sends and repeated questions have their own observations."""
    raw = Raw(("GET / HTTP/1.1\r\n\r\n",))
    steps = (
        Open("a", reply=Reply(421, times=2)),
        SendCompressed({"x": 1}, "gzip", "gzip", stream="a"),
        raw,
    )
    scenario = Case(steps).scenario()
    assert scenario.observe == {
        "0.connects": "$connects:a",
        "0.head": "$head:a",
        "1.answer": "$answer:1",
        "2.answers": "$value:2",
        "callbacks": "$callbacks",
        "during": "$during",
    }
    assert scenario.steps[1:] == (
        SendCompressed({"x": 1}, "gzip", "gzip", "1", "a"),
        dataclasses.replace(raw, name="2"),
    )
