"""Tests of URLs, compared with Node's ``new URL``.

The cases are data (``web_urls.json``): a text, the base URL or null, and the result of Node 20:
scheme, ``host``, path and query, user name and password (escaped). The result is null if Node
throws an error, or if the scheme is another one.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from gateway_shim.errors import BadURL
from gateway_shim.http_client.web_url import WebURL, parse_web_url

CASES = json.loads(Path(__file__).with_name("web_urls.json").read_text())


def read(text: str, base: str | None) -> list[object] | None:
    """Parse a text, and return the result in the form of the data."""
    try:
        url = parse_web_url(text, None if base is None else parse_web_url(base))
    except BadURL:
        return None
    return [url.scheme, url.location, url.target, url.user, url.password]


def expected(node: list[str] | None, base: str | None) -> list[object] | None:
    """Return the result in the data, without the credentials of a base."""
    if node is None:
        return None
    credentials = [unquote_to_bytes(text) for text in node[3:]]
    if base is not None and credentials == [b"u", b"p"]:
        credentials = [b"", b""]
    return [*node[:3], *credentials]


@pytest.mark.parametrize(("text", "base", "node"), CASES, ids=[repr(case[0]) for case in CASES])
def test_as_node(text: str, base: str | None, node: list[str] | None) -> None:
    """Every text has the result that Node gives, or is refused by both."""
    assert read(text, base) == expected(node, base)


def test_a_normal_form_stays() -> None:
    """Normalizing a second time changes nothing."""
    for text, base, _ in CASES:
        if (once := read(text, base)) is not None:
            scheme, location, target, _, _ = once
            again = read(f"{scheme}://{location}{target}", None)
            assert again is not None
            assert again[:3] == once[:3]


@pytest.mark.parametrize("text", ["http://a..b/", "http://.a/", f"http://{'a' * 64}/"])
def test_names_with_invalid_labels(text: str) -> None:
    """A name with an empty or too long label is refused; Node fails when it looks the name up."""
    with pytest.raises(BadURL):
        parse_web_url(text)


@pytest.mark.parametrize("text", ["http://h:x/?secret=s3cret", "nonsense?s3cret"])
def test_a_secret_is_not_shown(text: str) -> None:
    """The error does not repeat the text."""
    with pytest.raises(BadURL) as raised:
        parse_web_url(text)
    assert "s3cret" not in str(raised.value)


def test_numbers_of_any_length() -> None:
    """A host or a port of some thousand digits is refused without computing it."""
    for text in (f"http://{'9' * 5000}/", f"http://0x{'f' * 5000}/", f"http://h:{'9' * 5000}/"):
        with pytest.raises(BadURL):
            parse_web_url(text)


@pytest.mark.parametrize(
    ("text", "authorization"),
    [
        ("http://h/", None),
        ("http://@h/", None),
        ("http://us%20er:pa%3Ass@h/", "Basic dXMgZXI6cGE6c3M="),
        ("http://user@h/", "Basic dXNlcjo="),
        ("http://\xfc:p@h/", "Basic w7w6cA=="),
    ],
)
def test_authorization(text: str, authorization: str | None) -> None:
    """The user name and password are sent unescaped, as RFC 7617 says."""
    assert parse_web_url(text).authorization == authorization


def test_parts_of_an_ipv6_address() -> None:
    """An IPv6 address has brackets in URLs and headers, but not for sockets."""
    url = parse_web_url("http://[::1]:80/")
    assert (url.location, url.socket_host, url.port) == ("[::1]", "::1", 80)
    assert url.origin == ("http", "[::1]", 80)


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("http://h/y", True),
        ("https://h/y", True),
        ("https://h:444/y", False),
        ("http://h:81/y", False),
        ("http://other/y", False),
    ],
)
def test_credentials_stay_with_their_host(target: str, kept: bool) -> None:
    """Credentials stay with their host, even if http changes to https."""
    url = parse_web_url(target).with_credentials_of(parse_web_url("http://u:p@h/x"))
    assert (url.authorization is not None) is kept


def test_credentials_of_a_base_are_not_taken_over() -> None:
    """A relative URL does not get the credentials of its base."""
    base = parse_web_url("http://u:p@h/x")
    url = parse_web_url("y", base)
    assert (url.target, url.authorization) == ("/y", None)
    assert url.with_credentials_of(base).authorization == base.authorization


def test_as_text() -> None:
    """A URL is written without its credentials."""
    url = parse_web_url("http://u:p@h:80/a?b#c")
    assert str(url) == "http://h/a?b"
    assert url == WebURL("http", "h", 80, "/a", "b", b"u", b"p")
