"""Placeholders: what was seen, by kind and argument."""

from __future__ import annotations

import pytest

from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.placeholders import FENCE_TARGET, placeholders
from gateway_shim.parity.play.session import Callback
from gateway_shim.parity.play.stub_backend import StubBackend


def _callback(token: str, url: str = "/x", action: str = "connect", **more: str) -> Callback:
    json = {"action": action, "token": token, "request": {"url": url}, **more}
    return Callback("POST", "/cb", None, json, connection=len(token), text=token)


@pytest.fixture
def context() -> PlayContext:
    """Provide a context that has seen the callbacks of the stream ``s`` and of the fence."""
    backend = StubBackend()
    backend.stop()
    made = PlayContext("127.0.0.1", 1, backend, None)
    made.tokens["s"] = "one"
    made.session.callbacks += [
        _callback("one"),
        _callback("fence", FENCE_TARGET),
        _callback("one", action="disconnect", reason="error"),
        _callback("fence", FENCE_TARGET, "disconnect", reason="client_closed"),
    ]
    return made


@pytest.mark.parametrize(
    ("kind", "argument", "value"),
    [
        ("actions", "", ["connect", "disconnect"]),
        ("reasons", "", [["connect", None], ["disconnect", "error"]]),
        ("disconnects", "", [["disconnect", "error"]]),
        ("calls", "", ["POST /cb connect", "POST /cb disconnect"]),
        ("callback_texts", "", ["one", "one"]),
        ("connections", "", 1),
        ("callback_url", "", "/x"),
        ("url_length", "", 2),
        ("connects", "s", ["connect"]),
        ("asked", "s", True),
        ("asked", "another", False),
    ],
)
def test_callbacks_are_shown_without_those_of_the_fence(
    context: PlayContext, kind: str, argument: str, value: object
) -> None:
    """A placeholder shows the callbacks of the scenario or of one of its streams."""
    assert placeholders(context)[kind](argument) == value


def test_a_duration_is_shown_as_expected_or_as_measured(context: PlayContext) -> None:
    """A duration within a second of the expected one is shown as the expected one."""
    context.values["seconds"] = 5.4
    about = placeholders(context)["about"]
    assert (about("5"), about("7")) == ("about 5", "5.4")


def test_a_value_that_no_step_has_measured_is_none(context: PlayContext) -> None:
    """An unknown value is None, and a gateway without a process has no output."""
    shown = placeholders(context)
    assert (shown["value"]("x"), shown["output_mentions"]("x")) == (None, False)
