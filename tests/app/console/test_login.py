"""Signing in to the console and out of it."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.console.attempts import MAX_WRONG
from app.console.session import LIFETIME_SECONDS
from tests.app.conftest import MakeApp

PASSWORD = "correct horse"
PRODUCTION = {"flask_env": "production", "sse_callback_secret": "s3cret"}


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    """Return a browser that has not signed in to a server in production."""
    return make_app(**PRODUCTION, sse_console_password=PASSWORD).test_client()


def sign_in(client: FlaskClient, password: str = PASSWORD, **options: Any) -> TestResponse:
    """Send the form."""
    data = {"password": password, **options.pop("data", {})}
    return client.post("/console/login", data=data, **options)


def test_the_way_in(client: FlaskClient) -> None:
    """A page leads to the form, and the form leads back to the page, with its query."""
    html = {"Accept": "text/html"}
    asked = client.get("/console/streams?sort=age&find=a%20b", headers=html)
    assert asked.status_code == 303
    form = client.get(urljoin("/console/streams", asked.location))
    assert (form.status_code, form.request.path) == (200, "/console/login")
    hidden = re.search(r'name="next" value="([^"]*)"', form.text)
    assert hidden is not None
    page = hidden[1].replace("&amp;", "&")
    assert page == "/console/streams?sort=age&find=a%20b"
    answer = sign_in(client, data={"next": page})
    assert (answer.status_code, answer.location) == (303, f"..{page}")
    assert client.get("/console/streams").status_code == 200
    # The form is not shown again.
    assert client.get("/console/login?next=/console/events").location == "../console/events"


@pytest.mark.parametrize(("scheme", "is_secure"), [("http", False), ("https", True)])
def test_the_cookie(client: FlaskClient, scheme: str, is_secure: bool) -> None:
    """Scripts cannot read the cookie, other sites do not cause it to be sent, and it expires."""
    answer = sign_in(client, environ_overrides={"wsgi.url_scheme": scheme})
    _, *attributes = answer.headers["Set-Cookie"].split("; ")
    fixed = {"HttpOnly", "Path=/", "SameSite=Strict", f"Max-Age={LIFETIME_SECONDS}"}
    expected = fixed | ({"Secure"} if is_secure else set())
    assert {text for text in attributes if not text.startswith("Expires=")} == expected


def test_a_wrong_password(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """The form says that the password is wrong and keeps the page; the log has no password."""
    with caplog.at_level(logging.INFO):
        answer = sign_in(client, "incorrect horse", data={"next": "/console/events"})
    assert answer.status_code == 403
    assert "The password is wrong" in answer.text
    assert 'value="/console/events"' in answer.text
    assert "Set-Cookie" not in answer.headers
    (record,) = [record for record in caplog.records if "wrong password" in record.message]
    assert record.__dict__["address"] == "127.0.0.1"
    assert "incorrect" not in str(record.__dict__)
    assert "incorrect" not in answer.text
    refusals = client.application.extensions["container"].refusals()
    assert refusals.by_reason["sign_in"] == 1


def test_guesses_are_limited(client: FlaskClient) -> None:
    """After ten wrong passwords even the right one must wait, but another address need not."""
    for _ in range(MAX_WRONG):
        assert sign_in(client, "wrong").status_code == 403
    answer = sign_in(client)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (429, False)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert f"Try again in {answer.headers['Retry-After']} seconds" in answer.text
    assert sign_in(client, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 303


def test_right_passwords_are_not_limited(client: FlaskClient) -> None:
    """Only wrong passwords count."""
    assert {sign_in(client).status_code for _ in range(2 * MAX_WRONG)} == {303}


@pytest.mark.parametrize("page", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_the_form_leads_to_no_other_server(client: FlaskClient, page: str) -> None:
    """The page to return to is one of the console, whatever the request says."""
    assert "evil" not in client.get("/console/login", query_string={"next": page}).text
    assert sign_in(client, data={"next": page}).location == "../console"
    assert client.get("/console/login", query_string={"next": page}).location == "../console"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://listed.example"},
        {"Origin": "null"},
    ],
)
def test_other_pages_cannot_sign_anybody_in_or_out(
    make_app: MakeApp, headers: dict[str, str]
) -> None:
    """A form of another page is refused, even where CORS_ORIGINS allows that page."""
    settings = {"cors_origins": "https://listed.example", "sse_console_password": PASSWORD}
    client = make_app(**settings).test_client()
    for answer in (
        sign_in(client, headers=headers),
        client.post("/console/logout", headers=headers),
    ):
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)
        assert "CORS_ORIGINS" in answer.get_json()["error"]


def test_signing_out(client: FlaskClient) -> None:
    """The cookie is removed, and the pages lead to the form again."""
    sign_in(client)
    assert client.get("/console/api/session").get_json() == {"signed_in": True}
    answer = client.post("/console/logout")
    assert (answer.status_code, answer.location) == (303, "../console/login")
    assert client.get("/console/api/session").get_json() == {"signed_in": False}
    assert client.get("/console/tasks", headers={"Accept": "text/html"}).status_code == 303


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"password=" + b"x" * 20_000),
        ("multipart/form-data; boundary=b", b"--b\r\n" * 5_000),
    ],
)
def test_a_large_form(client: FlaskClient, kind: str, body: bytes) -> None:
    """A form is small, so a large one is not read."""
    answer = client.post("/console/login", data=body, content_type=kind)
    assert answer.status_code == 413
    assert "16384 bytes" in answer.get_json()["error"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"password": "correct horse"}'),
        ("text/plain", b"password=correct horse"),
        ("multipart/form-data", b"password"),
        ("application/x-www-form-urlencoded", b"\xff\xfe=%ff&&=&password"),
        ("application/x-www-form-urlencoded", b""),
    ],
)
def test_a_form_that_is_none(client: FlaskClient, kind: str, body: bytes) -> None:
    """A body that is no form has no password."""
    assert client.post("/console/login", data=body, content_type=kind).status_code == 403


def test_without_a_password_there_is_no_form(make_app: MakeApp) -> None:
    """In development without a password, the form leads to the page at once."""
    client = make_app().test_client()
    assert client.get("/console/login?next=/console/events").location == "../console/events"
    assert sign_in(client, "", data={"next": "/console/events"}).location == "../console/events"
    assert client.get("/console/api/session").get_json() == {"signed_in": True}
