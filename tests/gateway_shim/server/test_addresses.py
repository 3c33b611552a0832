"""Tests of the readers for hosts, addresses and URLs."""

from __future__ import annotations

import socket

import pytest
import requests

from gateway_shim.server.addresses import (
    InvalidAddress,
    bind_text,
    is_http_url,
    listening_host,
    split_bind,
)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("gw_1.example.", "gw_1.example."),
        ("bücher.example", "bücher.example"),
        ("::", "::"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_a_host_to_listen_at(text: str, host: str) -> None:
    """A host is a name or an address; the brackets of an IPv6 address are removed."""
    assert listening_host(text) == host


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("unix:/run/x.sock", "start gunicorn with --bind unix:/path"),
        ("/run/x.sock", "start gunicorn with --bind unix:/path"),
        ("127.0.0.1:5000", "without scheme and port"),
        ("[::1]:5000", "without scheme and port"),
        ("http://localhost", "without scheme and port"),
        ("::g", "such as 127.0.0.1, ::1 or localhost"),
        ("[127.0.0.1]", "such as 127.0.0.1, ::1 or localhost"),
        ("[::1", "such as 127.0.0.1, ::1 or localhost"),
        ("", "such as 127.0.0.1, ::1 or localhost"),
        ("a b", "such as 127.0.0.1, ::1 or localhost"),
        ("host\n", "such as 127.0.0.1, ::1 or localhost"),
        ("a..b", "such as 127.0.0.1, ::1 or localhost"),
        ("x" * 64, "such as 127.0.0.1, ::1 or localhost"),
    ],
)
def test_a_bad_host_to_listen_at(text: str, advice: str) -> None:
    """The message continues after the variable's name and says what to write."""
    with pytest.raises(InvalidAddress, match=r"^must be ") as caught:
        listening_host(text)
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:5001", ("::1", 5001)),
    ],
)
def test_host_and_port(text: str, address: tuple[str, int]) -> None:
    """An address that was read can be written again in gunicorn's form."""
    assert split_bind(text) == address
    assert bind_text(*address) == text


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("::1:6261", "write [::1]:6261"),
        ("fe80::1:80", "write [fe80::1]:80"),
        ("5001", "host:port"),
        (":5001", "host:port"),
        ("[::1]", "host:port"),
        ("h:", "host:port"),
        ("h:0", "host:port"),
        ("h:65536", "host:port"),
        ("h:" + "9" * 5000, "host:port"),
        ("h:٣", "host:port"),
        ("unix:/run/x.sock", "host:port"),
        ("http://h:5001", "without scheme"),
        ("[::g]:1", "IP address"),
        ("a b:1", "IP address"),
    ],
)
def test_a_bad_host_and_port(text: str, advice: str) -> None:
    """The message for a bad address says what to write."""
    with pytest.raises(InvalidAddress, match=r"^must be ") as caught:
        split_bind(text)
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "HTTP://LOCALHOST:5000/cb",
        "https://h:1/a?b=c#d",
        "http://us%20er:pa%3Ass@127.0.0.1:1/cb",
        "http://user@h/",
        "http://[::1]:5000/cb",
        "http://u:p@[::1]/cb",
        "http://h/c b?x=y z",
        "http://h/cé?ü=é",
        "http://bücher.example/",
        "http://h?x",
        "http://h//a",
        "http://127.1/",
        "http://0x7f000001/",
        "http://h:/",
    ],
)
def test_a_url(url: str) -> None:
    """A URL is accepted if the HTTP client can send a request to it."""
    assert is_http_url(url)
    assert requests.Request("POST", url).prepare().url


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "foo",
        "127.0.0.1:5000/cb",
        "//127.0.0.1/cb",
        "/cb",
        "ftp://h/",
        "http:h",
        "http://",
        "http:///cb",
        "http://user@",
        "http://[::1",
        "http://[::1]x/",
        "http://[::g]/",
        "http://[h]/",
        "http://h:99999/",
        "http://h:0/",
        "http://h:x/",
        "http://a b/",
        "http://a..b/",
        "http://h\\cb",
        "http://h/\n",
        "http://h/\t",
        "http://h\u200b/",
        f"http://{'x' * 64}/",
    ],
)
def test_a_bad_url(url: str) -> None:
    """A URL with another scheme, without a host, or with a bad host or port is refused."""
    assert not is_http_url(url)


def test_a_socket_accepts_the_host() -> None:
    """A socket can be bound to the host that is returned."""
    with socket.socket() as probe:
        probe.bind((listening_host("127.0.0.1"), 0))
