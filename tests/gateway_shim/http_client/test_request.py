"""What a redirect makes of a request."""

from __future__ import annotations

import pytest

from gateway_shim.errors import BadRedirect
from gateway_shim.http_client.request import HttpRequest
from gateway_shim.http_client.web_url import parse_web_url

HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer t", "X-Own": "1"}
POST = HttpRequest("POST", parse_web_url("http://u:p@a.example/x"), HEADERS, b"{}", 1.0, 2.0)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_becomes_a_get(status: int) -> None:
    """Its body stays behind, with the headers that speak of it; the limits go on."""
    followed = POST.redirected(status, "/other")
    assert (followed.method, followed.body, str(followed.url)) == (
        "GET",
        None,
        str(parse_web_url("http://u:p@a.example/other")),
    )
    assert set(followed.headers) == {"Authorization", "X-Own"}
    assert (followed.connect_seconds, followed.seconds) == (1.0, 2.0)


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_stays_one(status: int) -> None:
    """Elsewhere, too; but nobody else gets the credentials."""
    followed = POST.redirected(status, "http://b.example/")
    assert (followed.method, followed.body) == ("POST", b"{}")
    assert set(followed.headers) == {"Content-Type", "X-Own"}
    assert followed.url.authorization is None


@pytest.mark.parametrize("location", ["ftp://a.example/", "http://[bad", "http://u:p@a.example/"])
def test_a_redirect_that_is_not_followed(location: str) -> None:
    """To what is no http(s) URL, or brings credentials of its own."""
    with pytest.raises(BadRedirect):
        POST.redirected(307, location)
