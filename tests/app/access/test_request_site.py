"""The detection of requests that pages of other origins have sent."""

from __future__ import annotations

import pytest

from app.access.request_site import is_cross_site

PAGE = "https://app.example"
EVIL = "https://evil.example"


def cross(origins: tuple[str, ...] = (), **headers: str) -> bool:
    """Return whether a request with some headers is cross-site."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return is_cross_site(named.get, origins)


def test_no_page() -> None:
    """A request without both headers does not come from another page."""
    assert not cross()
    assert not cross(host="app.example")


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_browser_says_same_origin(site: str) -> None:
    """If the browser says same-origin or none, the rewritten Host of a proxy does not matter."""
    assert not cross(sec_fetch_site=site)
    assert not cross(sec_fetch_site=site, origin="http://localhost:5173", host="127.0.0.1:5000")
    assert not cross(sec_fetch_site=site, origin="null", host="app.example")


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "new-word", "same-origin, none"])
def test_the_browser_says_cross_site(site: str) -> None:
    """Another port is another origin, and an unknown word is not trusted."""
    assert cross(sec_fetch_site=site)
    assert cross(sec_fetch_site=site, origin=EVIL, host="evil.example")
    assert cross((PAGE,), sec_fetch_site=site, origin=EVIL)
    assert cross((PAGE,), sec_fetch_site=site)
    assert not cross((PAGE,), sec_fetch_site=site, origin=PAGE)
    assert not cross(("*",), sec_fetch_site=site, origin=EVIL)
    assert not cross(("*",), sec_fetch_site=site)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://app.example", "app.example"),
        ("http://app.example", "app.example:80"),
        ("https://app.example", "app.example"),
        ("https://app.example", "app.example:443"),
        ("http://app.example:5000", "APP.example:5000"),
        ("http://[::1]:5000", "[::1]:5000"),
    ],
)
def test_an_origin_that_is_the_host(origin: str, host: str) -> None:
    """Without Sec-Fetch-Site, the origin must name the host."""
    assert not cross(origin=origin, host=host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (EVIL, "app.example"),
        ("http://app.example:5173", "app.example:5000"),
        ("http://app.example.evil.example", "app.example"),
        ("http://app.example", "app.example:443"),
        ("null", "app.example"),
        ("null", "null"),
        ("", ""),
        ("chrome-extension://app.example", "app.example"),
        ("http://[::1", "[::1"),
        ("http://app.example:x", "app.example:x"),
        ("http://app.example", ""),
    ],
)
def test_an_origin_that_is_not_the_host(origin: str, host: str) -> None:
    """Another name, another port, a sandboxed frame or a malformed origin is cross-site."""
    assert cross(origin=origin, host=host)
    assert not cross((origin,), origin=origin, host=host)


def test_an_origin_without_a_host() -> None:
    """An origin without a host to compare it with is cross-site."""
    assert cross(origin=PAGE)
