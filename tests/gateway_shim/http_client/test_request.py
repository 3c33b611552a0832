"""Tests of the request that follows a redirect."""

from __future__ import annotations

import pytest

from gateway_shim.errors import BadRedirect
from gateway_shim.http_client.request import HttpRequest
from gateway_shim.http_client.web_url import parse_web_url

HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer t", "X-Own": "1"}
POST = HttpRequest("POST", parse_web_url("http://u:p@a.example/x"), HEADERS, b"{}", 1.0, 2.0)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_becomes_a_get(status: int) -> None:
    """A POST that becomes a GET loses its body and the headers about the body."""
    followed = POST.redirected(status, "/other")
    assert (followed.method, followed.body, str(followed.url)) == (
        "GET",
        None,
        str(parse_web_url("http://u:p@a.example/other")),
    )
    assert set(followed.headers) == {"Authorization", "X-Own"}
    assert (followed.connect_seconds, followed.seconds) == (1.0, 2.0)


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_stays_a_post(status: int) -> None:
    """A POST can stay a POST; another origin does not get the credentials."""
    followed = POST.redirected(status, "http://b.example/")
    assert (followed.method, followed.body) == ("POST", b"{}")
    assert set(followed.headers) == {"Content-Type", "X-Own"}
    assert followed.url.authorization is None


@pytest.mark.parametrize("location", ["ftp://a.example/", "http://[bad", "http://u:p@a.example/"])
def test_a_redirect_that_is_not_followed(location: str) -> None:
    """A redirect to an invalid URL, or to a URL with credentials, is refused."""
    with pytest.raises(BadRedirect):
        POST.redirected(307, location)
