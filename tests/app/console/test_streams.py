"""The API of the page of streams."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.console.all_streams.asking import AllStreams
from app.services.connection_manager import ConnectionManager
from app.services.connections.registered import Registered
from app.services.gateway_transport import InProcessTransport, TransportError
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.reading.listing import Condition, StreamInfo
from tests.app.conftest import MakeApp

API = "/console/api/streams"
GATEWAY = "http://127.0.0.1:9"


def get(app: Flask, **query: Any) -> dict[str, Any]:
    """Return the answer of the list."""
    response = app.test_client().get(API, query_string=query)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json
    return answer


@pytest.fixture
def local(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Return an application whose gateway has two streams."""
    infos = [
        StreamInfo("T1", "/", "192.0.2.1", Condition.OPEN, 5, 500, 0, 0),
        StreamInfo("T2", "/", "192.0.2.2", Condition.BEHIND, 7, 700, 3, 300),
    ]
    monkeypatch.setattr(Gateway, "list_streams", lambda _: infos)
    monkeypatch.setattr(Gateway, "holds", lambda _, token: token in ("T1", "T2"))
    registered = [("a", Registered("T1", "/", 0.0)), ("b", Registered("T2", "/", 0.0))]
    monkeypatch.setattr(ConnectionManager, "registered", lambda _: registered)
    return make_app()


def test_the_list(local: Flask) -> None:
    """The answer has the rows of one page, and the numbers of streams and pages."""
    answer = get(local, sort="events", order="desc")
    ages = [stream.pop("age") for stream in answer["streams"]]
    assert all(age >= 0 for age in ages)
    assert answer["streams"][0] == {
        "token": "T2",
        "request_id": "b",
        "address": "192.0.2.2",
        "state": "behind",
        "events": 7,
        "bytes": 700,
        "events_behind": 3,
        "bytes_behind": 300,
    }
    del answer["streams"]
    assert answer == {
        "page": 1,
        "pages": 1,
        "found": 2,
        "total": 2,
        "incomplete": False,
        "remote": False,
        "replays": True,
    }


def test_a_search(local: Flask) -> None:
    """The list has only the streams that are looked for."""
    answer = get(local, find="192.0.2.1")
    assert [stream["request_id"] for stream in answer["streams"]] == ["a"]
    assert (answer["found"], answer["total"]) == (1, 2)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"sort": "token"}, "sort is 'token'; it must be one of age, events, bytes, behind, "),
        ({"order": "x" * 50}, f"order is '{'x' * 20}…'; it must be one of asc, desc"),
        ({"page": "0"}, "page is '0'; it must be a number from 1 to 999999"),
        ({"page": "1" * 7}, "page is '1111111'; it must be"),
        ({"page": "٣"}, "page is '٣'; it must be"),
        ({"find": "x" * 201}, "find is longer than 200 characters"),
    ],
)
def test_bad_queries(make_app: MakeApp, query: dict[str, str], message: str) -> None:
    """A query that cannot be used is refused with what is allowed."""
    response = make_app().test_client().get(API, query_string=query)
    assert response.status_code == 400
    assert response.json["error"].startswith(message)


def test_a_gateway_elsewhere(make_app: MakeApp) -> None:
    """The list has what this process knows, and says so; the gateway is asked to close."""
    app = make_app(sse_gateway_url=GATEWAY)
    connections = app.extensions["container"].connection_manager()
    connections.on_connect("a", "T1", "/")
    answer = get(app)
    assert (answer["remote"], answer["replays"], answer["total"]) == (True, False, 1)
    (stream,) = answer["streams"]
    assert (stream["request_id"], stream["state"], stream["events"]) == ("a", "registered", None)


def test_close_elsewhere(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway elsewhere is asked to end the stream, and answers later."""
    app = make_app(sse_gateway_url=GATEWAY)
    container = app.extensions["container"]
    container.connection_manager().on_connect("a", "T/1", "/")
    closed: list[str] = []
    monkeypatch.setattr(container.gateway_transport(), "close", closed.append)
    client = app.test_client()
    assert client.post(f"{API}/T/1/close").status_code == 202
    assert client.post(f"{API}/T2/close").status_code == 404
    assert closed == ["T/1"]


def test_close(local: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of this process is ended at once; one that has ended is not found."""
    closed: list[str] = []
    monkeypatch.setattr(InProcessTransport, "close", lambda _, token: closed.append(token))
    client = local.test_client()
    assert client.post(f"{API}/T1/close").status_code == 204
    response = client.post(f"{API}/T9/close")
    assert (response.status_code, closed) == (404, ["T1"])
    assert response.json["error"] == "This stream has already ended; refresh the list"


def test_a_close_that_fails(local: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer has the reason."""

    def fail(_: object, token: str) -> None:
        raise TransportError(f"{token} is stuck")

    monkeypatch.setattr(InProcessTransport, "close", fail)
    response = local.test_client().post(f"{API}/T1/close")
    assert (response.status_code, response.json["error"]) == (
        503,
        "The stream was not closed: T1 is stuck",
    )


def test_closing_a_stream_of_another_worker(local: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker that has the stream closes it."""
    asked = []
    monkeypatch.setattr(AllStreams, "close_elsewhere", lambda _, token: asked.append(token) or True)
    assert local.test_client().post(f"{API}/T9/close").status_code == 204
    assert asked == ["T9"]
    monkeypatch.setattr(AllStreams, "close_elsewhere", lambda *_: False)
    assert local.test_client().post(f"{API}/T9/close").status_code == 404
