"""The figures of the operations page over HTTP."""

from __future__ import annotations

import pytest

from tests.app.conftest import MakeApp
from tests.app.services.conftest import URL


def test_the_figures(make_app: MakeApp) -> None:
    """The answer has the kept samples, the warnings and the limits."""
    app = make_app(sse_max_connections=100)
    client = app.test_client()
    empty = client.get("/console/api/operations").get_json()
    assert (empty["samples"], empty["warnings"]) == ([], [])
    app.extensions["container"].operations_sampler().take()
    state = client.get("/console/api/operations").get_json()
    assert [sample["streams"] for sample in state["samples"]] == [0]
    assert state["limits"]["max_streams"] == 100


def test_to_watch(make_app: MakeApp) -> None:
    """The answer tells whether the stream is connected to this process."""
    app = make_app()
    container = app.extensions["container"]
    container.connection_manager().on_connect("me", "T1", URL)
    # The gateway holds no such stream, so on_connect forgets it again.
    answer = app.test_client().post("/console/api/operations/watch", json={"request_id": "me"})
    assert (answer.status_code, answer.get_json()) == (200, {"connected": False})
    assert len(container.operations_feed()) == 1


@pytest.mark.parametrize("body", [{}, [], {"request_id": ""}, {"request_id": "a:b"}, {"x": 1}])
def test_a_wrong_body(make_app: MakeApp, body: object) -> None:
    """A body without a proper request id is refused, with what is expected."""
    app = make_app()
    answer = app.test_client().post("/console/api/operations/watch", json=body)
    assert answer.status_code == 400
    assert "expected an object with request_id" in answer.text
    assert len(app.extensions["container"].operations_feed()) == 0
