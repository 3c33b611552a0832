"""Links between pages, relative to the page of the current request.

Relative links also work behind a proxy that serves this server below a path of its own.
"""

from __future__ import annotations

import re

from flask import request

__all__ = ["FOLDER", "is_below_console", "link_to", "page_or_first"]

FOLDER = "/console"

_PAGE = re.compile(r"/console(?:/[A-Za-z0-9_-]+)*(?:\?[!-~]*)?")
"""A path of the console, with a query. It has no dot, no backslash and no empty part, so a browser
cannot read it as the address of another server."""

_MAX_PAGE_CHARACTERS = 2000


def link_to(path: str) -> str:
    """Return a relative link from the current request's path to a path of this server.

    Args:
        path: a path that begins with a slash. It may have a query.
    """
    folders = request.path.count("/") - 1
    return ("../" * folders or "./") + path.removeprefix("/")


def is_below_console(path: str) -> bool:
    """Return whether a path belongs to the console."""
    return path == FOLDER or path.startswith(f"{FOLDER}/")


def page_or_first(page: str | None) -> str:
    """Return a page that a request names, if it is one of the console; else the first page.

    Args:
        page: a path and query from a request. It may be anything.
    """
    if page and len(page) <= _MAX_PAGE_CHARACTERS and _PAGE.fullmatch(page):
        return page
    return FOLDER
