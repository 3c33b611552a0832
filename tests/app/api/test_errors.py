"""The errors of the API are JSON that helps a person, and show nothing of the inside."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from flask import Flask, Response, abort, redirect, request
from flask.testing import FlaskClient
from pydantic import BaseModel
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response as BaseResponse

from app.api.errors import register_error_handlers
from app.errors import BadRequest, InvalidOperationException, TooBusy
from gateway_shim.log_lines.line_handler import LineHandler
from gateway_shim.log_lines.log_format import TextFormatter
from tests.support.hostile_objects import Nameless, Unshowable


class Model(BaseModel):
    """A payload."""

    number: int


@pytest.fixture
def app() -> Flask:
    """Return an application whose views raise errors."""
    app = Flask("small")
    register_error_handlers(app)

    def view(error: Exception) -> Callable[[], Any]:
        def raise_it() -> Any:
            raise error

        return raise_it

    errors: dict[str, Exception] = {
        "bad": BadRequest("not so", [{"loc": ["x"]}]),
        "conflict": InvalidOperationException("not now"),
        "busy": TooBusy("later"),
        "slow-down": TooManyRequests(retry_after=7),
        "crash": KeyError("internals"),
    }
    for path, error in errors.items():
        app.add_url_rule(f"/{path}", path, view(error))

    @app.post("/model")
    def model() -> str:
        return str(Model.model_validate(request.get_json()).number)

    @app.post("/small")
    def small() -> bytes:
        request.max_content_length = 3
        return request.get_data()

    @app.get("/moved/")
    def moved() -> BaseResponse:
        return redirect("/elsewhere")

    @app.get("/on-purpose")
    def on_purpose() -> NoReturn:
        abort(Response("as it is", 418))

    @app.get("/on-purpose-too")
    def on_purpose_too() -> NoReturn:
        raise TooManyRequests(response=Response("as it is too", 429))

    return app


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/bad", 400, {"error": "not so", "details": [{"loc": ["x"]}]}),
        ("GET", "/conflict", 409, {"error": "not now"}),
        ("GET", "/busy", 503, {"error": "later"}),
        ("GET", "/nowhere", 404, {"error": "There is nothing at /nowhere"}),
        ("PUT", "/model", 405, {"error": "PUT is not allowed at /model; allowed: OPTIONS, POST"}),
        (
            "GET",
            "/crash",
            500,
            {"error": "The server failed to handle this request; the cause is in its log"},
        ),
    ],
)
def test_errors_are_json(app: Flask, method: str, path: str, status: int, body: object) -> None:
    """The backend's errors, Flask's errors and unexpected errors are all JSON."""
    response = app.test_client().open(path, method=method)
    assert (response.status_code, response.mimetype, response.get_json()) == (
        status,
        "application/json",
        body,
    )


def test_a_refused_body_is_answered_with_json(app: Flask) -> None:
    """A body that is too large, not JSON, or of the wrong type or shape is answered with JSON."""
    client = app.test_client()
    answers = [
        client.post("/small", data=b"four"),
        client.post("/model", data="x", content_type="text/plain"),
        client.post("/model", data="{", content_type="application/json"),
        client.post("/model", json={"number": "x"}),
    ]
    assert [(a.status_code, a.mimetype) for a in answers] == [
        (413, "application/json"),
        (415, "application/json"),
        (400, "application/json"),
        (400, "application/json"),
    ]
    assert answers[0].get_json() == {"error": "The body is larger than 3 bytes"}
    assert all(set(a.get_json()) == {"error"} for a in answers[:3])
    assert answers[3].get_json() == {
        "error": "Invalid payload",
        "details": [
            {
                "loc": ["number"],
                "msg": "Input should be a valid integer, unable to parse string as an integer",
                "type": "int_parsing",
            }
        ],
    }


def test_headers_that_a_status_needs_are_kept(app: Flask) -> None:
    """Allow and Retry-After are kept, once each, and there is one content type."""
    client = app.test_client()
    (allow,) = client.put("/model").headers.getlist("Allow")
    assert sorted(allow.split(", ")) == ["OPTIONS", "POST"]
    response = client.get("/slow-down")
    assert response.headers.getlist("Retry-After") == ["7"]
    assert response.headers.getlist("Content-Type") == ["application/json"]


def test_redirects_and_chosen_answers_are_not_changed(app: Flask) -> None:
    """Redirects and chosen answers are exceptions for werkzeug, but not errors."""
    client = app.test_client()
    assert client.get("/moved").status_code == 308
    answers = [client.get(path) for path in ("/on-purpose", "/on-purpose-too")]
    assert [(a.status_code, a.text) for a in answers] == [(418, "as it is"), (429, "as it is too")]


@pytest.mark.parametrize("path", ["/nameless", "/unshowable"])
def test_an_error_that_cannot_be_shown_is_a_crash(
    app: Flask, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error whose class cannot be shown is answered with JSON, and logged."""
    # The formatter of pytest cannot show these exceptions; the one of the product can.
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.setFormatter(TextFormatter())
    logger = logging.getLogger("app.api.errors")
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "handlers", [handler])
    kind = {"/nameless": Nameless, "/unshowable": Unshowable}[path]

    @app.get(path)
    def view() -> NoReturn:
        raise kind("x")

    answer = app.test_client().get(path)
    assert (answer.status_code, answer.get_json()) == (
        500,
        {"error": "The server failed to handle this request; the cause is in its log"},
    )
    first, *trace = stream.getvalue().splitlines()
    assert f"a request failed unexpectedly  method=GET path={path}" in first
    assert trace


def test_a_crash_is_logged_with_its_traceback(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A crash is logged with its request and traceback; a refused request is a warning."""
    client = app.test_client()
    client.get("/crash")
    (record,) = [r for r in caplog.records if r.levelname == "ERROR"]
    assert record.exc_info is not None
    fields = vars(record)
    assert (record.getMessage(), fields["method"], fields["path"], record.exc_info[0]) == (
        "a request failed unexpectedly",
        "GET",
        "/crash",
        KeyError,
    )
    client.get("/busy")
    assert (caplog.records[-1].levelname, vars(caplog.records[-1])["error"]) == ("WARNING", "later")


def test_no_traceback_reaches_a_client_even_while_testing(app: Flask) -> None:
    """A client gets no traceback, even if Flask's testing mode is on."""
    app.testing = True
    assert "internals" not in app.test_client().get("/crash").text


def test_a_limit_says_when_to_try_again(app: Flask) -> None:
    """The answer of a limit says when to try again, so that waiting clients add no load."""
    answer = app.test_client().get("/busy")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")


class Numbers(BaseModel, extra="forbid"):
    """A payload that can have many faults."""

    numbers: list[int] = []


@pytest.fixture
def echoing(app: Flask) -> FlaskClient:
    """Return a client of an application whose errors repeat what the client has sent."""

    @app.post("/numbers")
    def numbers() -> str:
        return str(Numbers.model_validate(request.get_json()).numbers)

    @app.post("/refused")
    def refused() -> NoReturn:
        text = request.get_data(as_text=True)
        raise BadRequest(f"refused: {text}", [text, text])

    return app.test_client()


def test_few_faults_are_described(echoing: FlaskClient) -> None:
    """The setting limits the described faults; one more entry has the number of the others."""
    details = echoing.post("/numbers", json={"numbers": ["x"] * 30}).get_json()["details"]
    assert [detail["loc"] for detail in details[:-1]] == [["numbers", i] for i in range(10)]
    assert details[-1]["msg"] == "20 more faults"
    echoing.application.config["MAX_ERROR_DETAILS"] = 2
    details = echoing.post("/numbers", json={"numbers": ["x"] * 30}).get_json()["details"]
    assert [detail["msg"] for detail in details[2:]] == ["28 more faults"]


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/" + "ü" * 8000, {}),
        ("PUT", "/moved/" + "a" * 8000, {}),
        ("POST", "/numbers", {"json": {"ü" * 90_000: 1}}),
        ("POST", "/numbers", {"json": {f"{n}" + "ü" * 90: 1 for n in range(900)}}),
        ("POST", "/refused", {"data": "\ud7ff" * 30_000}),
    ],
)
def test_errors_are_short(
    echoing: FlaskClient, method: str, path: str, options: dict[str, Any]
) -> None:
    """An error is short, whatever it repeats of the request."""
    answer = echoing.open(path, method=method, **options)
    assert answer.status_code in (400, 404)
    assert answer.get_json()["error"]
    assert len(answer.data) <= 16 * 1024
