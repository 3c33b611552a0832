"""Access to the console: where it is, who may use it, and the headers of its answers."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.app.conftest import MakeApp

PASSWORD = {"sse_console_password": "correct horse"}
PRODUCTION = {"flask_env": "production", "sse_callback_secret": "s3cret"}
HTML = {"Accept": "text/html,*/*;q=0.8"}
PATHS = [
    "/console",
    "/console/",
    "/console/tasks",
    "/console/login",
    "/console/none",
    "/console/static/page.js",
    "/console/api/session",
    "/console/api/none",
]


def get(
    app: Flask, path: str = "/console/tasks", server: str = "127.0.0.1", **options: Any
) -> TestResponse:
    """Ask for a path at a listening address, port 80."""
    environ = {"SERVER_NAME": server, "SERVER_PORT": "80"}
    return app.test_client().get(path, environ_overrides=environ, **options)


def signed_in(app: Flask) -> FlaskClient:
    """Return a browser with a session."""
    client = app.test_client()
    assert client.post("/console/login", data={"password": "correct horse"}).status_code == 303
    return client


@pytest.mark.parametrize(
    ("settings", "server", "status"),
    [
        # The developer's own machine needs no password.
        ({}, "127.0.0.1", 200),
        ({}, "::1", 200),
        ({}, "0.0.0.0", 404),
        ({"allow_open": "tasks,metrics"}, "0.0.0.0", 404),
        ({"flask_env": "testing"}, "127.0.0.1", 200),
        # With a password it is needed everywhere.
        (PASSWORD, "127.0.0.1", 303),
        (PASSWORD, "0.0.0.0", 303),
        (PRODUCTION, "127.0.0.1", 404),
        ({**PRODUCTION, "allow_open": "tasks,metrics"}, "127.0.0.1", 404),
        ({**PRODUCTION, **PASSWORD}, "127.0.0.1", 303),
        ({**PRODUCTION, **PASSWORD}, "0.0.0.0", 303),
        # ADMIN_BIND moves it.
        ({"admin_bind": "127.0.0.1:80"}, "127.0.0.1", 200),
        ({"admin_bind": "127.0.0.1:81"}, "127.0.0.1", 404),
        ({"admin_bind": "0.0.0.0:80", "allow_open": "tasks,metrics"}, "0.0.0.0", 404),
        ({**PRODUCTION, "admin_bind": "127.0.0.1:80"}, "127.0.0.1", 404),
        ({**PRODUCTION, **PASSWORD, "admin_bind": "127.0.0.1:80"}, "127.0.0.1", 303),
        ({**PRODUCTION, **PASSWORD, "admin_bind": "127.0.0.1:81"}, "127.0.0.1", 404),
    ],
)
def test_where_the_console_is(
    make_app: MakeApp, settings: dict[str, Any], server: str, status: int
) -> None:
    """The console is there, needs the password, or is not there."""
    assert get(make_app(**settings), server=server, headers=HTML).status_code == status


@pytest.mark.parametrize("settings", [PRODUCTION, {**PRODUCTION, "admin_bind": "127.0.0.1:80"}])
def test_a_console_that_is_off(
    make_app: MakeApp, settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Every path says how to turn it on, as a page or as JSON; the log says it once."""
    app = make_app(**settings)
    with caplog.at_level(logging.WARNING):
        for path in PATHS:
            page = get(app, path, headers=HTML)
            assert (page.status_code, page.mimetype) == (404, "text/html")
            assert "set SSE_CONSOLE_PASSWORD" in page.text
            answer = get(app, path)
            assert (answer.status_code, answer.mimetype) == (404, "application/json")
            assert "set SSE_CONSOLE_PASSWORD" in answer.get_json()["error"]
    messages = [record.message for record in caplog.records]
    assert messages.count("the console is off; see SSE_CONSOLE_PASSWORD") == 1
    assert app.extensions["container"].refusals().by_reason["not_open"] == 2 * len(PATHS)


def test_beside_an_admin_address_nothing_is_said(make_app: MakeApp) -> None:
    """At the public address, nothing tells that there is a console at ADMIN_BIND."""
    app = make_app(**PRODUCTION, **PASSWORD, admin_bind="127.0.0.1:81")
    for path in PATHS:
        assert "onsole" not in get(app, path, headers=HTML).text
        # Without the middleware, which another one may replace, the check gives the same answer.
        app.wsgi_app, gate = app.wsgi_app.application, app.wsgi_app  # type: ignore[attr-defined]
        assert get(app, path, headers=HTML).status_code == 404
        assert "PASSWORD" not in get(app, path, headers=HTML).text
        app.wsgi_app = gate  # type: ignore[method-assign]


@pytest.mark.parametrize("cookie", ["", "console.x.y", "x" * 4000, "é", '"', ";;==", "\x7f"])
def test_without_a_session(make_app: MakeApp, cookie: str) -> None:
    """Pages lead to the form; all other requests get 401. Styles need no session."""
    app = make_app(**PASSWORD)
    sent = {"Cookie": f"sse_console={cookie}"}
    page = get(app, headers={**HTML, **sent})
    assert (page.status_code, page.location) == (303, "../console/login?next=%2Fconsole%2Ftasks")
    for path in ("/console/tasks", "/console/api/none", "/console/none"):
        assert get(app, path, headers=sent).status_code == 401
    for method in ("POST", "DELETE", "OPTIONS", "PUT"):
        answer = app.test_client().open("/console/tasks", method=method, headers={**HTML, **sent})
        assert (method, answer.status_code) == (method, 401)
    assert "/console/login" in get(app, "/console/api/none", headers=sent).get_json()["error"]
    assert get(app, "/console/static/console.css", headers=sent).status_code == 200


def test_head_and_options(make_app: MakeApp) -> None:
    """HEAD is answered like GET, and OPTIONS without a word about other origins."""
    client = signed_in(make_app(**PASSWORD, cors_origins="https://listed.example"))
    head = client.head("/console/tasks")
    assert (head.status_code, head.data) == (200, b"")
    options = client.options("/console/tasks", headers={"Origin": "https://listed.example"})
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert "Access-Control-Allow-Origin" not in options.headers


@pytest.mark.parametrize("path", PATHS)
def test_the_headers(make_app: MakeApp, path: str) -> None:
    """Every answer has the policy, and none has CORS headers, whatever CORS_ORIGINS says."""
    app = make_app(cors_origins="https://listed.example")
    answer = get(app, path, headers={**HTML, "Origin": "https://listed.example"})
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert "unsafe" not in str(policy)
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    is_static = path.startswith("/console/static")
    assert answer.headers["Cache-Control"] == ("no-cache" if is_static else "no-store")
    assert [name for name in dict(answer.headers) if name.startswith("Access-Control")] == []


def test_other_answers_have_no_such_headers(make_app: MakeApp) -> None:
    """The policy is for the console; other answers keep their CORS headers."""
    app = make_app(cors_origins="https://listed.example")
    answer = get(app, "/api/tasks", headers={"Origin": "https://listed.example"})
    assert "Content-Security-Policy" not in answer.headers
    assert answer.headers["Access-Control-Allow-Origin"] == "https://listed.example"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Sec-Fetch-Site": "none"}, 404),
        ({"Origin": "http://localhost"}, 404),
        ({}, 404),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:81"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://listed.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_only_own_pages_use_the_api(
    make_app: MakeApp, method: str, headers: dict[str, str], status: int
) -> None:
    """Pages of other origins can use nothing of the API, not even listed ones."""
    app = make_app(cors_origins="https://listed.example")
    answer = app.test_client().open("/console/api/none", method=method, headers=headers)
    assert answer.status_code == status
    refused = app.extensions["container"].refusals().by_reason["cross_site"]
    assert refused == (status == 403)


def test_a_link_on_another_site_leads_to_a_page(make_app: MakeApp) -> None:
    """A page may be linked from anywhere."""
    assert get(make_app(), headers={**HTML, "Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_bodies_are_json(make_app: MakeApp) -> None:
    """A body that a form of any page can send is refused."""
    app = make_app()
    client = app.test_client()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        answer = client.post("/console/api/none", data="{}", content_type=kind)
        assert answer.status_code == 415
    assert client.post("/console/api/none", json={}).status_code == 404
    assert app.extensions["container"].refusals().by_reason["not_json"] == 4


def test_another_host(make_app: MakeApp) -> None:
    """A rebound name reaches nothing of the console."""
    app = make_app()
    for path in PATHS:
        assert get(app, path, headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("path", ["//console/tasks", "/console//tasks", "/console/tasks//"])
def test_double_slashes(make_app: MakeApp, path: str) -> None:
    """A path with double slashes leads to no page without a session, and to no other host."""
    app = make_app(**PASSWORD)
    answer = get(app, f"http://localhost{path}", headers=HTML)
    assert answer.status_code in (303, 308, 404)
    target = answer.headers.get("Location", "")
    assert target.startswith(("http://localhost/console", "../", "./")) or not target


@pytest.mark.parametrize(("settings", "status"), [({}, 200), (PRODUCTION, 404), (PASSWORD, 303)])
def test_a_unix_socket(make_app: MakeApp, settings: dict[str, str], status: int) -> None:
    """A Unix socket is of this machine, whatever host the client names."""
    with socket.socket(socket.AF_UNIX) as connection:
        answer = (
            make_app(**settings)
            .test_client()
            .get(
                "/console/tasks",
                headers={**HTML, "Host": "app.example"},
                environ_overrides={"gunicorn.socket": connection},
            )
        )
    assert answer.status_code == status


def test_an_unknown_page(make_app: MakeApp) -> None:
    """A browser gets a page that says so; a script gets JSON."""
    app = make_app()
    page = get(app, "/console/none", headers=HTML)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert get(app, "/console/none").get_json() == {"error": "There is nothing at /console/none"}


def test_routes_of_a_deployment_are_not_checked(make_app: MakeApp) -> None:
    """A deployment's own route below /console is not ours to check."""
    app = make_app(**PRODUCTION)
    app.add_url_rule("/console/mine", view_func=lambda: "mine")
    answer = get(app, "/console/mine")
    assert (answer.text, answer.status_code) == ("mine", 200)
    assert "Content-Security-Policy" not in answer.headers
