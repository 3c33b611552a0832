"""The page that the tests of a browser share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import ChromiumPage


@pytest.fixture
def browser() -> Iterator[ChromiumPage]:
    """Open a page in a browser."""
    with ChromiumPage() as page:
        yield page
