"""The type of a setting that is a URL."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from app.config.http_url import HttpUrl

CHECK = TypeAdapter(HttpUrl)


@pytest.mark.parametrize("url", ["http://h", "https://h:1/base", "http://[::1]:80/", "http://h?q"])
def test_a_url_is_accepted_as_it_is(url: str) -> None:
    """An http or https URL is not changed."""
    assert CHECK.validate_python(url) == url


@pytest.mark.parametrize("url", ["", "h:80", "ftp://h", "http://", "http://a b", "http://h:0"])
def test_anything_else_is_refused(url: str) -> None:
    """The error says how a URL must look."""
    with pytest.raises(ValidationError, match=r"must be a URL such as http://host:port"):
        CHECK.validate_python(url)
