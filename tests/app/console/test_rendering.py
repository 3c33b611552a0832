"""Pages from templates."""

from __future__ import annotations

import pytest
from flask import Flask
from jinja2 import UndefinedError

from app.console.rendering import prefers_page, render, render_notice

APP = Flask("test")


def test_texts_are_escaped() -> None:
    """A text in a page is shown as text."""
    with APP.test_request_context("/console/x"):
        answer = render_notice(404, "<b>title</b>", "<script>alert(1)</script>")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    text = answer.get_data(as_text=True)
    assert "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_styles_are_found_from_every_path() -> None:
    """A page has relative links, so its depth decides what they begin with."""
    for path, link in {"/console": "./", "/console/a": "../", "/console/a/b": "../../"}.items():
        with APP.test_request_context(path):
            page = render_notice(404, "title", "text").get_data(as_text=True)
        assert f'href="{link}console/static/console.css"' in page


def test_a_forgotten_value_is_an_error() -> None:
    """A template cannot show nothing by mistake."""
    with APP.test_request_context("/console"), pytest.raises(UndefinedError):
        render("console/notice.html", title="title")


@pytest.mark.parametrize(
    ("accept", "prefers"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("*/*", False),
        ("application/json", False),
        (None, False),
    ],
)
def test_who_prefers_a_page(accept: str | None, prefers: bool) -> None:
    """Browsers prefer a page; curl and scripts do not."""
    headers = {"Accept": accept} if accept else {}
    with APP.test_request_context("/console", headers=headers):
        assert prefers_page() is prefers
