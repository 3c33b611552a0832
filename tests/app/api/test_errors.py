"""Every error is JSON that a person can act on, and shows nothing of the inside."""

from __future__ import annotations

import io
import logging

import pytest
from flask import Flask, Response, abort, redirect, request
from pydantic import BaseModel
from werkzeug.exceptions import TooManyRequests

from app.api.errors import register_error_handlers
from app.errors import BadRequest, InvalidOperationException, TooBusy
from gateway_shim.log_lines.line_handler import LineHandler
from gateway_shim.log_lines.log_format import TextFormatter
from tests.support.hostile_objects import Nameless, Unshowable


class Model(BaseModel):
    """A payload."""

    number: int


@pytest.fixture
def app():
    """An application whose views raise."""
    app = Flask("small")
    register_error_handlers(app)

    def view(error):
        def raise_it():
            raise error

        return raise_it

    errors = {
        "bad": BadRequest("not so", [{"loc": ["x"]}]),
        "conflict": InvalidOperationException("not now"),
        "busy": TooBusy("later"),
        "slow-down": TooManyRequests(retry_after=7),
        "crash": KeyError("internals"),
    }
    for path, error in errors.items():
        app.add_url_rule(f"/{path}", path, view(error))

    @app.post("/model")
    def model():
        return str(Model.model_validate(request.get_json()).number)

    @app.post("/small")
    def small():
        request.max_content_length = 3
        return request.get_data()

    @app.get("/moved/")
    def moved():
        return redirect("/elsewhere")

    @app.get("/on-purpose")
    def on_purpose():
        abort(Response("as it is", 418))

    @app.get("/on-purpose-too")
    def on_purpose_too():
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
        ("GET", "/crash", 500, {"error": "Something went wrong on the server; its log says what"}),
    ],
)
def test_errors_are_json(app, method, path, status, body):
    """Ours, Flask's, and those that nobody expected."""
    response = app.test_client().open(path, method=method)
    assert (response.status_code, response.mimetype, response.get_json()) == (
        status,
        "application/json",
        body,
    )


def test_a_body_that_flask_refuses_is_json_too(app):
    """Too large, of the wrong type, not JSON, or of the wrong shape."""
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


def test_headers_that_complete_a_status_are_kept(app):
    """Allow and Retry-After, once each, and one content type."""
    client = app.test_client()
    (allow,) = client.put("/model").headers.getlist("Allow")
    assert sorted(allow.split(", ")) == ["OPTIONS", "POST"]
    response = client.get("/slow-down")
    assert response.headers.getlist("Retry-After") == ["7"]
    assert response.headers.getlist("Content-Type") == ["application/json"]


def test_redirects_and_answers_on_purpose_pass(app):
    """They are exceptions to werkzeug, but no errors."""
    client = app.test_client()
    assert client.get("/moved").status_code == 308
    answers = [client.get(path) for path in ("/on-purpose", "/on-purpose-too")]
    assert [(a.status_code, a.text) for a in answers] == [(418, "as it is"), (429, "as it is too")]


@pytest.mark.parametrize("path", ["/nameless", "/unshowable"])
def test_an_error_that_cannot_be_shown_is_a_crash_like_any_other(app, path, monkeypatch):
    """Whatever its class does, the answer is JSON and the log has a line."""
    # The formatter of pytest cannot show these exceptions; the one of the product can.
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.setFormatter(TextFormatter())
    logger = logging.getLogger("app.api.errors")
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "handlers", [handler])
    kind = {"/nameless": Nameless, "/unshowable": Unshowable}[path]

    @app.get(path)
    def view():
        raise kind("x")

    answer = app.test_client().get(path)
    assert (answer.status_code, answer.get_json()) == (
        500,
        {"error": "Something went wrong on the server; its log says what"},
    )
    first, *trace = stream.getvalue().splitlines()
    assert f"a request failed unexpectedly  method=GET path={path}" in first
    assert trace


def test_a_crash_is_logged_with_its_traceback(app, caplog):
    """Where the request went, and why it failed; a refused request is a warning."""
    client = app.test_client()
    client.get("/crash")
    (record,) = [r for r in caplog.records if r.levelname == "ERROR"]
    assert (record.getMessage(), record.method, record.path, record.exc_info[0]) == (
        "a request failed unexpectedly",
        "GET",
        "/crash",
        KeyError,
    )
    client.get("/busy")
    assert (caplog.records[-1].levelname, caplog.records[-1].error) == ("WARNING", "later")


def test_no_traceback_reaches_a_client_even_while_testing(app):
    """The handler comes before Flask's own propagation."""
    app.testing = True
    assert "internals" not in app.test_client().get("/crash").text


def test_a_limit_says_when_to_come_back(app):
    """A client that waits as long as it is told to does not add to the load."""
    answer = app.test_client().get("/busy")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")


class Numbers(BaseModel, extra="forbid"):
    """A payload in which much can be wrong."""

    numbers: list[int] = []


@pytest.fixture
def echoing(app):
    """A client of an application whose errors repeat what the client sent."""

    @app.post("/numbers")
    def numbers():
        return str(Numbers.model_validate(request.get_json()).numbers)

    @app.post("/refused")
    def refused():
        text = request.get_data(as_text=True)
        raise BadRequest(f"refused: {text}", [text, text])

    return app.test_client()


def test_few_faults_are_described(echoing):
    """The setting says how many; one entry more has the number of the others."""
    details = echoing.post("/numbers", json={"numbers": ["x"] * 30}).json["details"]
    assert [detail["loc"] for detail in details[:-1]] == [["numbers", i] for i in range(10)]
    assert details[-1]["msg"] == "20 more faults"
    echoing.application.config["MAX_ERROR_DETAILS"] = 2
    details = echoing.post("/numbers", json={"numbers": ["x"] * 30}).json["details"]
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
def test_errors_are_short(echoing, method, path, options):
    """Whatever they repeat of what the client sent."""
    answer = echoing.open(path, method=method, **options)
    assert answer.status_code in (400, 404)
    assert answer.json["error"]
    assert len(answer.data) <= 16 * 1024
