"""The pages of the console."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest

from app.console.pages import PAGES
from tests.app.conftest import MakeApp


@pytest.mark.parametrize("page", PAGES)
def test_a_page(make_app: MakeApp, page: str) -> None:
    """Each page has its title, its own script and style, and marks itself in the navigation."""
    text = make_app().test_client().get(f"/console/{page}").text
    assert f"<title>{PAGES[page]} · sse-monolith</title>" in text
    assert f'src="../console/static/{page}.js"' in text
    assert f'href="../console/static/{page}.css"' in text
    marked = re.findall(r'href="../console/(\w+)" aria-current="page"', text)
    assert marked == [page]


def test_nothing_is_inline_and_nothing_is_elsewhere(make_app: MakeApp) -> None:
    """A page obeys its own policy: no script, style or handler in it, nothing of other servers."""
    client = make_app(sse_console_password="correct horse").test_client()
    client.post("/console/login", data={"password": "correct horse"})
    for path in [*PAGES, "login", "none"]:
        answer = client.get(f"/console/{path}", headers={"Accept": "text/html"})
        text = answer.text
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?://", text)


@pytest.mark.parametrize("path", ["/console", "/console/"])
def test_the_first_page(make_app: MakeApp, path: str) -> None:
    """The console leads to its first page."""
    answer = make_app().test_client().get(path)
    assert answer.status_code == 303
    assert urljoin(path, answer.location) == "/console/tasks"


def test_signing_out_needs_a_password(make_app: MakeApp) -> None:
    """There is a button to sign out only if a password is needed."""
    assert "Sign out" not in make_app().test_client().get("/console/tasks").text
    client = make_app(sse_console_password="correct horse").test_client()
    client.post("/console/login", data={"password": "correct horse"})
    assert "Sign out" in client.get("/console/tasks").text
