"""The CORS headers of Flask's answers."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.datastructures import Headers

from app.api.cors import register_cors
from app.api.errors import register_error_handlers
from gateway_shim.streams.config import Cors

APP = "https://app.example"
HEADERS = "Content-Type, Cache-Control, Last-Event-ID, Authorization"


def ask(origins: str, origin: str | None, method: str = "GET") -> Headers:
    """Return the headers of an answer to a request from an origin."""
    app = Flask(__name__)
    app.add_url_rule("/x", view_func=lambda: "x")
    register_cors(app, Cors.parse(origins))
    headers = {} if origin is None else {"Origin": origin}
    return app.test_client().open("/x", method=method, headers=headers).headers


def test_closed_by_default() -> None:
    """Without CORS_ORIGINS, no header lets another origin read."""
    assert not [name for name, _ in ask("", APP) if name.startswith("Access-Control")]


@pytest.mark.parametrize("origin", ["https://evil.example", None, "null", APP + ".evil.example"])
def test_other_origins_read_nothing(origin: str | None) -> None:
    """An origin that is not listed gets no permission, and Vary tells caches why."""
    headers = ask(APP, origin)
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Vary"] == "Origin"


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_listed_origin_may_read(method: str) -> None:
    """A listed origin is named, and may send cookies; DELETE is allowed."""
    headers = ask(f"{APP}, https://b.example", APP, method)
    assert headers["Access-Control-Allow-Origin"] == APP
    assert headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE, OPTIONS"
    assert headers["Access-Control-Allow-Headers"] == HEADERS
    assert headers["Access-Control-Expose-Headers"] == "SSE-Heartbeat-Seconds, Retry-After"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Vary"] == "Origin"


def test_a_star_lets_every_origin_read() -> None:
    """A star lets every origin read, without cookies."""
    headers = ask("*", None)
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE, OPTIONS"
    assert headers["Access-Control-Allow-Headers"] == HEADERS
    assert "Access-Control-Allow-Credentials" not in headers
    assert "Vary" not in headers


def test_errors_can_be_read() -> None:
    """A listed origin can read error answers too."""
    app = Flask(__name__)
    register_error_handlers(app)
    register_cors(app, Cors.parse(APP))
    answer = app.test_client().delete("/nowhere", headers={"Origin": APP})
    assert answer.status_code == 404
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
