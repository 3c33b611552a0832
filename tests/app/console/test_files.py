"""The styles and scripts of the console."""

from __future__ import annotations

import pytest

from app.console.pages import PAGES
from tests.app.conftest import MakeApp

FILES = [
    ("console.css", "text/css"),
    ("favicon.svg", "image/svg+xml"),
    ("page.js", "text/javascript"),
    ("login.js", "text/javascript"),
    *[(f"{page}.js", "text/javascript") for page in PAGES],
    *[(f"{page}.css", "text/css") for page in PAGES],
]


def test_each_file(make_app: MakeApp) -> None:
    """Every file that a page links is there, with the media type that browsers require."""
    client = make_app().test_client()
    for name, kind in FILES:
        response = client.get(f"/console/static/{name}")
        assert (name, response.status_code, response.mimetype) == (name, 200, kind)
        assert response.data
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_browser_asks_whether_a_file_has_changed(make_app: MakeApp) -> None:
    """A file may be kept, but a new version is seen at once. An unchanged file is not sent."""
    client = make_app().test_client()
    first = client.get("/console/static/page.js")
    assert first.headers["Cache-Control"] == "no-cache"
    headers = {"If-None-Match": first.headers["ETag"]}
    again = client.get("/console/static/page.js", headers=headers)
    assert (again.status_code, again.data) == (304, b"")
    other = client.get("/console/static/console.css", headers=headers)
    assert other.status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "none.js",
        "../pages.py",
        "%2e%2e/pages.py",
        "..%2fpages.py",
        "..\\pages.py",
        "/etc/passwd",
        "%2fetc/passwd",
        "",
        ".",
        "page.js%00",
        "page.js/",
    ],
)
def test_other_files_are_not_served(make_app: MakeApp, name: str) -> None:
    """Only the files of the folder are served; no path leads out of it."""
    response = make_app().test_client().get(f"/console/static/{name}")
    assert response.status_code in (308, 404)
    assert b"def " not in response.data
    assert b"root:" not in response.data
