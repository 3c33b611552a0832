"""The API of the page of events."""

from __future__ import annotations

from typing import Any

import pytest

from app.console.all_streams.asking import AllStreams
from app.console.events import PublishRequest
from app.services.connection_manager import ConnectionManager, ServiceType
from app.services.connections.send_outcome import SendOutcome, SendReport
from gateway_shim.protocol.event_stream import Event
from tests.app.conftest import MakeApp

API = "/console/api/events"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, Event, ServiceType]]:
    """Record what is sent, instead of sending it; two of three streams take an event for all."""
    calls: list[tuple[str | None, Event, ServiceType]] = []

    def send(_: object, request_id: str | None, event: Event, service: ServiceType) -> SendReport:
        calls.append((request_id, event, service))
        if request_id == "broken":
            return SendReport(SendOutcome.ERROR)
        if request_id == "away":
            return SendReport(SendOutcome.NO_STREAM, 0, "e-2")
        return SendReport(SendOutcome.SUCCESS, 2 if request_id is None else 1, "e-1")

    monkeypatch.setattr(ConnectionManager, "send", send)
    monkeypatch.setattr(ConnectionManager, "registered", lambda _: [None] * 3)
    return calls


Sent = list[tuple[str | None, Event, ServiceType]]


def test_to_all(make_app: MakeApp, sent: Sent) -> None:
    """An event without a request id goes to all streams, and its data stays what it is."""
    body = {"name": "note", "data": {"text": "é<b>", "big": 12345678901234567890}}
    response = make_app().test_client().post(API, json=body)
    assert response.json == {
        "id": "e-1",
        "kept": True,
        "delivered": 2,
        "streams": 3,
        "request_id": None,
    }
    text = '{"text":"é<b>","big":12345678901234567890}'
    assert sent == [(None, Event("note", text), ServiceType.CONSOLE)]


def test_to_one(make_app: MakeApp, sent: Sent) -> None:
    """An event for a request id whose stream is away is kept for it."""
    client = make_app().test_client()
    here = client.post(API, json={"name": "", "data": None, "request_id": "me"}).json
    away = client.post(API, json={"name": "n", "data": 1, "request_id": "away"}).json
    assert (here["request_id"], here["delivered"], here["kept"]) == ("me", 1, True)
    assert (away["request_id"], away["delivered"], away["kept"]) == ("away", 0, True)
    assert [(request_id, event) for request_id, event, _ in sent] == [
        ("me", Event("", "null")),
        ("away", Event("n", "1")),
    ]


def test_an_event_that_is_not_sent(make_app: MakeApp, sent: Sent) -> None:
    """The answer says so."""
    body = {"name": "n", "data": 1, "request_id": "broken"}
    response = make_app().test_client().post(API, json=body)
    assert response.status_code == 503
    assert response.json["error"] == "The event was not sent; the server's log has the reason"


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"name": "a\nb", "data": 1}, "name", "an event's name must not hold CR, LF or NUL"),
        ({"name": "x" * 201, "data": 1}, "name", "at most 200 characters"),
        ({"name": "operations_sample", "data": {}}, "name", "use another name"),
        ({"name": "n"}, "data", "Field required"),
        ({"name": "n", "data": 1, "request_id": "a:b"}, "request_id", "without a colon"),
        ({"name": "n", "data": 1, "to": "all"}, "to", "Extra inputs are not permitted"),
    ],
)
def test_bad_events(
    make_app: MakeApp, sent: Sent, body: dict[str, Any], field: str, message: str
) -> None:
    """The details name the field that is wrong; nothing is sent."""
    response = make_app().test_client().post(API, json=body)
    assert response.status_code == 400
    (fault,) = response.json["details"]
    assert fault["loc"] == [field]
    assert message in fault["msg"]
    assert sent == []


def test_data_that_cannot_be_written(make_app: MakeApp, sent: Sent) -> None:
    """Data that is nested too deeply is refused at its field, or as bad JSON by the parser."""
    deep = "[" * 995 + "]" * 995
    response = (
        make_app()
        .test_client()
        .post(API, data='{"name":"n","data":' + deep + "}", content_type="application/json")
    )
    assert response.status_code == 400
    assert sent == []


def test_a_number_that_is_too_large(make_app: MakeApp, sent: Sent) -> None:
    """Python reads it as infinity and would write text that no browser can parse."""
    body = '{"name":"n","data":[1e999]}'
    client = make_app().test_client()
    response = client.post(API, data=body, content_type="application/json")
    assert response.status_code == 400
    (fault,) = response.json["details"]
    assert fault["loc"] == ["data"]
    assert "a number is too large" in fault["msg"]
    assert sent == []


def test_the_request() -> None:
    """A request id may be left out."""
    assert PublishRequest(name="n", data=1).request_id is None


def test_the_real_way(make_app: MakeApp) -> None:
    """Without a stream and without a log that is open, nothing takes the event."""
    body = {"name": "n", "data": 1, "request_id": "me"}
    answer = make_app().test_client().post(API, json=body).json
    assert (answer["delivered"], answer["streams"], answer["kept"]) == (0, 0, False)


def test_several_workers(make_app: MakeApp, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The streams of all workers are counted, and the answer says that others deliver it, too."""
    monkeypatch.setattr(AllStreams, "are_elsewhere", True)
    monkeypatch.setattr(AllStreams, "count", lambda _: 8)
    answer = make_app().test_client().post(API, json={"name": "n", "data": 1}).json
    assert (answer["delivered"], answer["streams"], answer["elsewhere"]) == (2, 8, True)
