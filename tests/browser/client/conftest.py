"""The site and the browser context of most tests of the client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.client.rig.site import Site, profile, serve
from tests.browser.tabs import Browser, Context


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run one backend for all tests. The tabs of each test are gone at its end."""
    with serve() as site:
        yield site


@pytest.fixture
def context(chromium: Browser, site: Site) -> Iterator[Context]:
    """Open a context, whose streams are gone at the end of the test."""
    with profile(chromium) as context:
        yield context
    site.wait_for_streams(0)
