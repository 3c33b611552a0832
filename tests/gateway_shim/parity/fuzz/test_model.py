"""The model of a gateway's texts: events, checks, refusals."""

from __future__ import annotations

import pytest

from gateway_shim.parity.fuzz.model import READY, Model, error
from gateway_shim.parity.reply import Reply

_NODE, _OURS = Model(node=True, envelope=True), Model(node=False, envelope=True)
_NAMED = Model(node=False, envelope=False)
_DEEP = "[" * 5000 + "]" * 5000


def test_both_gateways_insert_deep_json() -> None:
    """Both gateways insert JSON of any depth into an envelope."""
    hit: set[int] = set()
    for model in (_NODE, _OURS):
        assert model.event("n", _DEEP, hit) == f'data: {{"type":"n","payload":{_DEEP}}}\n\n'
    assert hit == set()


def test_text_that_is_not_json_is_divergence_6() -> None:
    """Node inserts text that is not JSON, and ours makes a JSON string of it."""
    hit: set[int] = set()
    assert _NODE.event("n", "[[", hit) == 'data: {"type":"n","payload":[[}\n\n'
    assert _OURS.event("n", "[[", hit) == 'data: {"type":"n","payload":"[["}\n\n'
    assert hit == {6}
    assert _OURS.event("ready", "x", hit) == READY


@pytest.mark.parametrize(
    ("reply", "unavailable", "named", "envelope"),
    [
        (Reply(403, "No"), False, error("BACKEND_FORBIDDEN"), '{"status":403,"message":"No"}'),
        (
            Reply(401),
            False,
            error("BACKEND_AUTH_FAILED"),
            '{"status":401,"message":"Unauthorized"}',
        ),
        (Reply(404), False, error("BACKEND_ERROR"), None),
        (Reply(403), True, error("BACKEND_UNAVAILABLE"), None),
    ],
)
def test_a_refused_stream_has_an_error_or_an_event(
    reply: Reply, unavailable: bool, named: str, envelope: str | None
) -> None:
    """A refused stream has an error, or one event in the envelope dialect."""
    event = None if envelope is None else f"event: rejected\ndata: {envelope}\n\n"
    assert _NAMED.rejection(reply, unavailable) == named
    assert _OURS.rejection(reply, unavailable) == (named if event is None else event)


def test_an_unsafe_name_is_divergence_2() -> None:
    """Node accepts an unsafe name, and ours refuses it."""
    hit: set[int] = set()
    body = {"token": "t", "event": {"name": "a\nb", "data": ""}}
    assert _NODE.refusal(body, hit) is None
    assert _OURS.refusal(body, hit) == "INVALID_EVENT_NAME_TYPE"
    assert hit == {2}
