"""``GET /``: what the server is, and what can be done next."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.program.version import application_version
from tests.app.conftest import MakeApp

BASE = "http://localhost"
HEALTH = [f"{BASE}/healthz", f"{BASE}/readyz"]
CONSOLE = f"{BASE}/console"
STREAM = f"{BASE}/api/sse/stream?request_id=me"
TASKS = [f"{BASE}/api/tasks", f"{BASE}/api/tasks"]
METRICS = f"{BASE}/metrics"
GATEWAY = f"{BASE}/api/gateway"


def get(app: Flask, server: str = "127.0.0.1", **options: Any) -> TestResponse:
    """Ask for ``/`` at a listening address, port 80."""
    environ = {"SERVER_NAME": server, "SERVER_PORT": "80", **options.pop("environ", {})}
    return app.test_client().get("/", environ_overrides=environ, **options)


def urls(response: TestResponse) -> list[str]:
    """Return the URLs that an answer names, in order."""
    assert response.status_code == 200
    return [step["url"] for step in response.get_json()["next"]]


def test_the_answer_says_what_can_be_done_next(make_app: MakeApp) -> None:
    """The JSON names the server, its version, and a command for each step."""
    body = get(make_app()).get_json()
    assert (body["server"], body["version"]) == ("sse-monolith", application_version())
    assert [step["name"] for step in body["next"]] == [
        "Look at it in a browser",
        "Open a stream",
        "Start a task",
        "List the tasks",
        "Read the metrics",
        "Read the state of the gateway",
        "Check that the server is alive",
        "Check that the server accepts work",
    ]
    assert body["next"][1] == {
        "name": "Open a stream",
        "method": "GET",
        "url": STREAM,
        "command": f"curl -N '{STREAM}'",
    }
    assert "README.md" in body["documentation"]


def test_the_commands_work(make_app: MakeApp) -> None:
    """Each command asks for its URL, and the URLs that Flask serves answer with success."""
    app = make_app()
    client = app.test_client()
    for step in get(app).get_json()["next"]:
        words = shlex.split(step["command"])
        assert step["url"] in words
        if step["url"] == STREAM:  # the worker answers it, not Flask
            continue
        if step["method"] == "POST":
            data = words[words.index("-d") + 1]
            response = client.post(step["url"], data=data, content_type="application/json")
            assert response.status_code == 202
        elif step["url"] == CONSOLE:
            assert client.get(step["url"]).status_code == 303
        else:
            assert client.get(step["url"]).status_code == 200


@pytest.mark.parametrize(
    ("settings", "server", "expected"),
    [
        ({}, "127.0.0.1", [CONSOLE, STREAM, *TASKS, METRICS, GATEWAY, *HEALTH]),
        ({}, "0.0.0.0", [STREAM, *HEALTH]),
        ({"flask_env": "production"}, "127.0.0.1", [STREAM, *HEALTH]),
        (
            {"flask_env": "production", "allow_open": "tasks"},
            "0.0.0.0",
            [STREAM, *TASKS, *HEALTH],
        ),
        (
            {"flask_env": "production", "admin_bind": "127.0.0.1:80"},
            "127.0.0.1",
            [STREAM, *TASKS, METRICS, GATEWAY, *HEALTH],
        ),
        (
            {"flask_env": "production", "sse_console_password": "correct horse"},
            "0.0.0.0",
            [CONSOLE, STREAM, *HEALTH],
        ),
        (
            {"sse_gateway_url": "http://me:pw@gw:1"},
            "127.0.0.1",
            [CONSOLE, *TASKS, METRICS, *HEALTH],
        ),
    ],
)
def test_the_answer_names_only_what_is_served(
    make_app: MakeApp, settings: dict[str, Any], server: str, expected: list[str]
) -> None:
    """A closed area is not named, and neither is a stream that another gateway serves."""
    app = make_app(**settings)
    response = get(app, server)
    assert urls(response) == expected
    assert "gw" not in response.text
    answer = get(app, server, headers={"Accept": "text/html"})
    if CONSOLE in expected:
        assert (answer.status_code, answer.location) == (303, "/console")
        return
    page = answer.text
    for url in {STREAM, *TASKS, METRICS, GATEWAY, *HEALTH}:
        assert (url in page) == (url in expected)


def test_production_does_not_tell_its_version(make_app: MakeApp) -> None:
    """In production the answer has no version."""
    app = make_app(flask_env="production")
    assert "version" not in get(app).get_json()
    assert application_version() not in get(app, headers={"Accept": "text/html"}).text


def test_the_public_address_beside_an_admin_address_serves_nothing_here(make_app: MakeApp) -> None:
    """With ADMIN_BIND, the index is served at that address only, like the rest of the API."""
    app = make_app(flask_env="production", admin_bind="127.0.0.1:5001")
    assert get(app, "0.0.0.0").status_code == 404


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "application/json"),
        ("application/json, text/html;q=0.9", "application/json"),
        ("image/png", "application/json"),
        (None, "application/json"),
    ],
)
def test_browsers_get_a_page(make_app: MakeApp, accept: str | None, kind: str) -> None:
    """A client that prefers HTML gets a page; every other client gets JSON."""
    app = make_app(flask_env="production")
    response = get(app, headers={"Accept": accept} if accept else {})
    assert response.content_type == kind
    assert response.headers["Vary"] == "Accept"
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", 303),
        ("*/*", 200),
        ("application/json, text/html;q=0.9", 200),
        (None, 200),
    ],
)
def test_browsers_are_led_to_the_console(
    make_app: MakeApp, accept: str | None, status: int
) -> None:
    """A browser is led to a console that is served there; every other client still gets JSON."""
    for method in ("GET", "HEAD"):
        headers = {"Accept": accept} if accept else {}
        response = get(make_app(), headers=headers, method=method)
        assert (response.status_code, "Location" in response.headers) == (status, status == 303)
        assert response.headers["Vary"] == "Accept"
        assert response.headers["Cache-Control"] == "no-store"


def test_the_page_has_links_and_no_scripts(make_app: MakeApp) -> None:
    """The page links what a browser can get, and forbids everything that a page could load."""
    app = make_app(flask_env="production", allow_open="tasks,metrics")
    response = get(app, headers={"Accept": "text/html"})
    assert f'<a href="{METRICS}">' in response.text
    assert f"POST {TASKS[0]}" in response.text
    assert "<script" not in response.text
    assert response.headers["Content-Security-Policy"] == "default-src 'none'"


@pytest.mark.parametrize("host", ["<b>x</b>.localhost", "a'b.localhost", 'a"b.localhost'])
def test_a_host_cannot_inject_anything(make_app: MakeApp, host: str) -> None:
    """A malformed Host is refused, and is not repeated in a page or a command."""
    response = get(make_app(), headers={"Host": host, "Accept": "text/html"})
    assert response.status_code in (400, 403)
    assert host not in response.text


@pytest.mark.parametrize("host", ["<b>x</b>", "a'b", "$(reboot)"])
def test_a_host_is_quoted_where_every_name_is_permitted(make_app: MakeApp, host: str) -> None:
    """At a public address, any Host is escaped in a page, and quoted in a command."""
    app = make_app(flask_env="production")
    page = get(app, "0.0.0.0", headers={"Host": host, "Accept": "text/html"})
    assert host not in page.text or host == "$(reboot)"
    response = get(app, "0.0.0.0", headers={"Host": host})
    if response.status_code == 200:
        for step in response.get_json()["next"]:
            assert step["url"] in shlex.split(step["command"])


def test_an_empty_host_is_replaced_by_the_listening_address(make_app: MakeApp) -> None:
    """An empty Host header is allowed, and still every URL is one that works."""
    answer = get(make_app(), server="::1", headers={"Host": ""})
    assert urls(answer)[:2] == [
        "http://[::1]:80/console",
        "http://[::1]:80/api/sse/stream?request_id=me",
    ]


def test_a_foreign_host_is_refused(make_app: MakeApp) -> None:
    """The index has the same protection against DNS rebinding as the rest of the API."""
    app = make_app()
    assert get(app, headers={"Host": "evil.example"}).status_code == 403
    assert app.extensions["container"].refusals().by_reason["host_not_allowed"] == 1


def test_the_url_of_a_proxy_is_used(make_app: MakeApp) -> None:
    """Behind a proxy, the URLs have the public host, the scheme and the path prefix."""
    app = make_app(allowed_hosts="app.example")
    environ = {"wsgi.url_scheme": "https", "SCRIPT_NAME": "/events"}
    response = get(app, headers={"Host": "app.example"}, environ=environ)
    assert urls(response)[1] == "https://app.example/events/api/sse/stream?request_id=me"
    headers = {"Host": "app.example", "Accept": "text/html"}
    assert get(app, headers=headers, environ=environ).location == "/events/console"


def test_head_has_the_headers_only(make_app: MakeApp) -> None:
    """HEAD is answered like GET, without a body."""
    client = make_app().test_client()
    got, head = client.get("/"), client.head("/")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_find_nothing(make_app: MakeApp, method: str) -> None:
    """Only GET and HEAD are answered."""
    response = make_app().test_client().open("/", method=method)
    assert (response.status_code, response.get_json()) == (404, {"error": "There is nothing at /"})


def test_a_listed_origin_may_read_it(make_app: MakeApp) -> None:
    """The answer has the CORS headers of the rest of the API."""
    app = make_app(cors_origins="https://app.example")
    headers = get(app, headers={"Origin": "https://app.example"}).headers
    assert headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Access-Control-Allow-Origin" not in get(app, headers={"Origin": "https://b"}).headers
    assert sorted(headers.getlist("Vary")) == ["Accept", "Origin"]


def test_a_route_of_the_deployment_is_used_instead(make_app: MakeApp) -> None:
    """A route for ``/`` that a deployment adds answers instead of the index."""
    app = make_app()
    app.add_url_rule("/", view_func=lambda: "my page")
    assert get(app).text == "my page"
