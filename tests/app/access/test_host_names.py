"""The host names under which requests may reach a server."""

from __future__ import annotations

import pytest

from app.access.host_names import HostNames


def permit(
    host: str | None, allowed: str = "", address: str = "127.0.0.1", *, is_unix: bool = False
) -> bool:
    """Return whether a server answers a request for a host."""
    return HostNames(allowed).permit(host, address, is_unix=is_unix)


LOOPBACK = [
    "localhost",
    "localhost:5000",
    "LOCALHOST:5173",
    "localhost.",
    "127.0.0.1",
    "127.0.0.1:5000",
    "127.9.9.9:1",
    "[::1]",
    "[::1]:5000",
    "app.localhost:5000",
    "a.b.localhost",
]
FOREIGN = [
    "evil.example",
    "evil.example:5000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "notlocalhost",
    "128.0.0.1",
    "192.168.1.5:5000",
    "[::2]:5000",
    "localhost:5000@evil.example",
    "evil.example/localhost",
    "localhost, evil.example",
    "evil.example:localhost",
    "[::1",
    " ",
    "0.0.0.0",
]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.0.0.2"])
@pytest.mark.parametrize("host", LOOPBACK)
def test_names_of_this_machine(host: str, address: str) -> None:
    """A server on a loopback address answers under each local name, with any port."""
    assert permit(host, address=address)


@pytest.mark.parametrize("host", FOREIGN)
def test_other_names(host: str) -> None:
    """A name that the DNS can give to 127.0.0.1 is refused, and so is a malformed host."""
    assert not permit(host)
    assert not permit(host, "app.example")


@pytest.mark.parametrize("host", [None, ""])
def test_no_name(host: str | None) -> None:
    """A request without a host is answered: HTTP/1.0 needs none, and every browser sends it."""
    assert permit(host)


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("app.example", "app.example"),
        ("app.example", "App.Example:443"),
        ("APP.example , b.example", "b.example"),
        ("*.app.example", "a.app.example"),
        ("*.app.example", "a.b.app.example:8443"),
        ("192.0.2.7", "192.0.2.7:5000"),
        ("2001:db8::1", "[2001:db8::1]:5000"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("*", "evil.example"),
        ("app.example", "localhost"),
    ],
)
def test_listed_names(allowed: str, host: str) -> None:
    """ALLOWED_HOSTS adds names at every address."""
    for address in ("127.0.0.1", "0.0.0.0"):
        assert permit(host, allowed, address)


@pytest.mark.parametrize("host", ["app.example", "evilapp.example", "app.example.evil.example"])
def test_names_beside_a_pattern(host: str) -> None:
    """A pattern matches names below its name, and not names that only end alike."""
    assert not permit(host, "*.app.example")


@pytest.mark.parametrize("host", FOREIGN[:2])
def test_where_the_names_are_not_known(host: str) -> None:
    """At a public address and at a Unix socket, names are checked only if some are listed."""
    assert permit(host, address="0.0.0.0")
    assert permit(host, address="::")
    assert permit(host, address="", is_unix=True)
    assert not permit(host, "app.example", "0.0.0.0")
    assert not permit(host, "app.example", "", is_unix=True)


@pytest.mark.parametrize(
    "entry", ["http://a", "a:80", "a b", "*.", "*a", "a.*", "app..example", "[::1]:80", "ü"]
)
def test_an_entry_that_is_not_a_name(entry: str) -> None:
    """A malformed entry is refused, so that it is not mistaken for protection."""
    with pytest.raises(ValueError, match="is not a host: write names or addresses"):
        HostNames(f"app.example,{entry}")
