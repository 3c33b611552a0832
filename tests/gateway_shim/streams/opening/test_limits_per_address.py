"""The key under which limits per address count a client."""

from __future__ import annotations

import pytest

from gateway_shim.protocol.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.streams.opening.limits_per_address import LimitKeys, limit_key

LOCAL = TrustedProxies.parse(DEFAULT_PROXIES)
NONE = TrustedProxies.parse("")
NETWORK = TrustedProxies.parse("10.0.0.0/8, 2001:db8:1::/48")
EVERYBODY = TrustedProxies.parse("*")


@pytest.mark.parametrize(
    ("proxies", "address", "key"),
    [
        (LOCAL, "192.0.2.1", "192.0.2.1"),
        (LOCAL, "::ffff:192.0.2.1", "192.0.2.1"),
        (LOCAL, "2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        (LOCAL, "fe80::1%eth0", "fe80::/64"),
        (LOCAL, "127.0.0.1", ""),
        (NONE, "127.9.9.9", ""),
        (NONE, "::1", ""),
        (NONE, "", ""),
        (NETWORK, "10.0.0.1", ""),
        (NETWORK, "192.0.2.1", "192.0.2.1"),
        (EVERYBODY, "192.0.2.1", "192.0.2.1"),
    ],
)
def test_limit_key(proxies: TrustedProxies, address: str, key: str) -> None:
    """Loopback, Unix sockets and proxies that name no client are not counted."""
    assert limit_key(address, proxies) == key


def test_a_network_has_one_key() -> None:
    """All streams of an address share one string as their key."""
    assert limit_key("2001:db8::1", LOCAL) is limit_key("2001:db8::ffff:1", LOCAL)


def test_remembered_keys() -> None:
    """Keys are the same when they are remembered, and change with the trusted proxies."""
    keys = LimitKeys()
    proxies = TrustedProxies.parse("192.0.2.1")
    for number in (*range(2, 250), *range(2, 250)):
        assert keys.of(f"192.0.2.{number}", proxies) == f"192.0.2.{number}"
    for _ in range(2):
        assert keys.of("2001:db8::1", proxies) == "2001:db8::/64"
        assert keys.of("192.0.2.1", proxies) == ""
        assert keys.of("127.0.0.1", proxies) == ""
    assert keys.of("192.0.2.1", TrustedProxies()) == "192.0.2.1"


def test_few_keys_are_remembered() -> None:
    """A flood from many addresses takes no memory."""
    keys, proxies = LimitKeys(), TrustedProxies()
    for number in range(3000):
        keys.of(f"198.51.{number >> 8}.{number & 255}", proxies)
    assert len(keys._keys) <= 1024
