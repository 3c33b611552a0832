"""The browser that tests share, and the page that older tests use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import ChromiumPage
from tests.browser.tabs import Browser


@pytest.fixture(scope="module")
def _chromium_page() -> Iterator[ChromiumPage]:
    """Start a browser for the page of all tests of a module."""
    with ChromiumPage() as page:
        yield page


@pytest.fixture
def browser(_chromium_page: ChromiumPage) -> ChromiumPage:
    """Open the page that older tests use."""
    _chromium_page.begin()
    return _chromium_page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start a browser for all tests of a process. Each test opens a context of its own.

    A page that stayed open would ask whichever server gets the port of its server next.
    """
    with Browser() as browser:
        yield browser
        assert not browser.contexts, "a test has left pages open"
