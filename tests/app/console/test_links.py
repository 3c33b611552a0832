"""Links between pages."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest
from flask import Flask

from app.console.links import is_below_console, link_to, page_or_first


@pytest.mark.parametrize("path", ["/", "/console", "/console/", "/console/tasks", "/console/a/b/c"])
@pytest.mark.parametrize("prefix", ["", "/events", "/a/b"])
def test_a_link_keeps_the_prefix_of_a_proxy(path: str, prefix: str) -> None:
    """A link leads to the same page wherever a proxy serves this server."""
    with Flask("test").test_request_context(path):
        link = link_to("/console/tasks?a=b")
    assert urljoin(f"http://h{prefix}{path}", link) == f"http://h{prefix}/console/tasks?a=b"
    assert link.startswith("."), "never the host of another server"


@pytest.mark.parametrize(
    ("path", "is_below"),
    [("/console", True), ("/console/", True), ("/console/x", True), ("/consoles", False)],
)
def test_below_the_console(path: str, is_below: bool) -> None:
    """Only whole names of folders count."""
    assert is_below_console(path) is is_below


@pytest.mark.parametrize("page", ["/console", "/console/tasks", "/console/tasks?q=%C3%A9&x=//a"])
def test_a_page_that_was_asked_for(page: str) -> None:
    """A page of the console may be led to."""
    assert page_or_first(page) == page


@pytest.mark.parametrize(
    "page",
    [
        None,
        "",
        "/",
        "//evil.example",
        "/\\evil.example",
        "/console/../api/tasks",
        "/console//evil.example",
        "/console/\\evil.example",
        "/console/..//evil.example",
        "/console@evil.example",
        "/console.evil.example",
        "/consoles",
        "https://evil.example/console",
        "javascript:alert(1)//console",
        "/console/tasks?\r\nSet-Cookie: a=b",
        "/console/tasks\n",
        "/console/tasks#x",
        "/console/é",
        "\t/console",
        "/console?" + "x" * 2000,
    ],
)
def test_anything_else_becomes_the_first_page(page: str | None) -> None:
    """A value that is not certainly a page of the console is replaced."""
    assert page_or_first(page) == "/console"
