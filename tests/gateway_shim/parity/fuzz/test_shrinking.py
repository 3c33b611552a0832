"""Shrinking: every candidate is playable and smaller."""

from __future__ import annotations

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.generation import generate, has_empty_rejection
from gateway_shim.parity.fuzz.shrinking import smaller_cases
from gateway_shim.parity.reply import Reply
from gateway_shim.parity.steps import AwaitCallback, Drop, Fence, Open, Post, Raw, Send


def test_every_candidate_is_playable_and_not_larger() -> None:
    """Every candidate of a generated case is playable and not larger."""
    for case in generate(5, 60):
        for candidate in smaller_cases(case):
            assert candidate != case
            assert candidate.is_playable()
            assert len(candidate.to_json()) <= len(case.to_json())


def test_a_stream_is_removed_with_all_its_steps() -> None:
    """The first candidate is the one without a stream and its steps."""
    case = Case((Open("a"), Open("b"), Fence("a"), Drop("b")))
    assert next(smaller_cases(case)) == Case((Open("b"), Drop("b")))


def test_the_parts_of_a_step_go_one_by_one() -> None:
    """Candidates lack the version, the reply, a send, a header, a part of a text, or a field."""
    opened = Open(
        "s", "/ab", (("A", "1"), ("B", "2")), version="1.0", reply=Reply(201, sends=({}, []))
    )
    send = Send({"token": "$T", "event": {"data": "xy"}, "close": True})
    found = [candidate.steps for candidate in smaller_cases(Case((opened, send)))]
    firsts = [steps[0] for steps in found if isinstance(steps[0], Open)]
    bodies = [steps[-1].body for steps in found if isinstance(steps[-1], Send)]
    variants = [(o.version, o.reply, len(o.headers), o.target) for o in firsts]
    assert ("1.1", opened.reply, 2, "/ab") in variants
    assert ("1.0", Reply(), 2, "/ab") in variants
    assert ("1.0", Reply(201, sends=([],)), 2, "/ab") in variants
    assert ("1.0", opened.reply, 1, "/ab") in variants
    assert ("1.0", opened.reply, 2, "/b") in variants
    assert all(target.startswith("/") for *_, target in variants)
    for body in (
        {"token": "$T", "event": {"data": "xy"}},
        {"token": "$T", "close": True},
        {"token": "$T", "event": {}, "close": True},
        {"token": "$T", "event": {"data": "x"}, "close": True},
    ):
        assert body in bodies


def test_long_texts_are_halved() -> None:
    """A long text is halved instead of losing one character at a time."""
    case = Case((Open("s"), Send({"token": "$T", "event": {"data": "x" * 1000}})))
    sizes = {
        len(step.body["event"]["data"])
        for candidate in smaller_cases(case)
        for step in candidate.steps
        if isinstance(step, Send) and "data" in step.body.get("event", {})
    }
    assert sizes == {500, 1000}  # 1000: the candidates that simplify the stream first


def _all(case: Case) -> list[Case]:
    """Return every case that shrinking can reach in four steps."""
    found: set[str] = set()
    layer = [case]
    for _ in range(4):
        layer = [c for old in layer for c in smaller_cases(old) if c.to_json() not in found]
        found |= {c.to_json() for c in layer}
    return [Case.from_json(text) for text in found]


def test_shrinking_does_not_end_at_what_is_not_generated() -> None:
    """Shrinking never makes a rejection without data."""
    rejection = Send({"token": "$T", "event": {"name": "rejected", "data": "xy"}})
    bodies = [
        step.body
        for found in _all(Case((Open("s"), rejection)))
        for step in found.steps
        if isinstance(step, Send)
    ]
    assert {"token": "$T", "event": {"name": "rejected", "data": "y"}} in bodies
    assert not any(has_empty_rejection(body) for body in bodies)


def test_bytes_of_a_backend_become_shorter() -> None:
    """A raw answer loses headers and repetitions, and becomes one text without repetitions."""
    raw = ("HTTP/1.1 200 OK\r\n", ("X: a\r\n", 150), "Y: b\r\nZ: c\r\n\r\n")
    case = Case((Open(reply=Reply(raw=raw, times=3, then=(Reply(403),))), Fence()))
    replies = [c.steps[0].reply for c in smaller_cases(case) if isinstance(c.steps[0], Open)]
    raws = [reply.raw for reply in replies]
    assert (raw[0], ("X: a\r\n", 75), raw[2]) in raws
    assert (raw[0], raw[1], "Z: c\r\n\r\n") in raws
    assert raw[0] + raw[2] in raws
    assert Reply(raw=raw, times=1, then=(Reply(403),)) in replies
    assert Reply(raw=raw, times=3) in replies


def test_the_bytes_of_a_request_become_shorter() -> None:
    """A raw request loses parts, repetitions and lines."""
    parts = ("GET /x HTTP/1.1\r\nHost: h\r\n", ("X: a\r\n", 1500), "\r\n")
    found = [c.steps[0] for c in smaller_cases(Case((Raw(parts),)))]
    assert Raw((parts[0], parts[2])) in found
    assert Raw((parts[0], ("X: a\r\n", 750), parts[2])) in found
    assert Raw(("GET /x HTTP/1.1\r\n", parts[1], parts[2])) in found


def test_repetitions_become_fewer_on_both_sides() -> None:
    """Repetitions become shorter on both sides, so that brackets still match."""
    case = Case((Post("[" * 1000 + "]" * 1000),))
    text = "[" * 500 + "]" * 500
    assert next(smaller_cases(case)) == Case((Post(text),))


def test_many_headers_are_halved() -> None:
    """Many headers are halved."""
    pairs = tuple((f"h{number}", "") for number in range(1000))
    firsts = [candidate.steps[0] for candidate in smaller_cases(Case((Open(headers=pairs),)))]
    sizes = {len(step.headers) for step in firsts if isinstance(step, Open)}
    assert sizes == {500, 1000}


def test_a_wait_for_a_callback_goes_with_its_drop() -> None:
    """The wait for a callback is removed only with the drop that causes the callback."""
    case = Case((Open("a"), Fence("a"), Drop("a"), AwaitCallback("a")))
    found = [candidate.steps for candidate in smaller_cases(case)]
    assert (Open("a"), Fence("a")) in found
    assert all((Drop("a") in steps) == (AwaitCallback("a") in steps) for steps in found)
