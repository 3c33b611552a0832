"""Tests of the address of a client."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.protocol.client_address import DEFAULT_PROXIES, MAX_HOPS, TrustedProxies
from gateway_shim.streams.opening.limits_per_address import limit_key

LOCAL = TrustedProxies.parse(DEFAULT_PROXIES)
NONE = TrustedProxies.parse("")
NETWORK = TrustedProxies.parse("10.0.0.0/8, 2001:db8:1::/48")
EVERYBODY = TrustedProxies.parse("*")


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "client"),
    [
        # The header of another peer is ignored.
        (LOCAL, "192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        (NONE, "127.0.0.1", ["198.51.100.1"], "127.0.0.1"),
        (NONE, "", ["198.51.100.1"], ""),
        (LOCAL, "127.0.0.2", ["198.51.100.1"], "127.0.0.2"),
        # The header of a trusted proxy counts.
        (LOCAL, "127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        (LOCAL, "::1", ["198.51.100.1"], "198.51.100.1"),
        (LOCAL, "::ffff:127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        (LOCAL, "", ["198.51.100.1"], "198.51.100.1"),
        (NETWORK, "10.9.8.7", ["2001:DB8::1"], "2001:db8::1"),
        # The client's own entries are further left, and do not count.
        (LOCAL, "127.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        (LOCAL, "127.0.0.1", ["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
        # Several proxies in a row.
        (NETWORK, "10.0.0.1", ["203.0.113.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        (NETWORK, "10.0.0.1", ["198.51.100.1, 2001:db8:1::5"], "198.51.100.1"),
        # No client is named.
        (LOCAL, "127.0.0.1", [], "127.0.0.1"),
        (LOCAL, "127.0.0.1", [""], "127.0.0.1"),
        (NETWORK, "10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.1"),
        (LOCAL, "127.0.0.1", ["198.51.100.1, unknown"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["198.51.100.1, _hidden, ,"], "127.0.0.1"),
        (LOCAL, "127.0.0.1", ["198.51.100.1" + ", 127.0.0.1" * MAX_HOPS], "127.0.0.1"),
        # Different notations.
        (LOCAL, "127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        (LOCAL, "127.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        (LOCAL, "127.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        (LOCAL, "127.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        (LOCAL, "127.0.0.1", ["fe80::1%eth0"], "fe80::1"),
        (LOCAL, "::ffff:192.0.2.1", [], "192.0.2.1"),
        # If every peer is trusted, the first address in the header is the client.
        (EVERYBODY, "192.0.2.1", ["198.51.100.1, 203.0.113.9"], "198.51.100.1"),
        (EVERYBODY, "192.0.2.1", [], "192.0.2.1"),
    ],
)
def test_client(proxies: TrustedProxies, peer: str, forwarded: list[str], client: str) -> None:
    """The client is the rightmost address that is not a trusted proxy, if the peer is one."""
    assert proxies.client(peer, forwarded) == client


@pytest.mark.parametrize("text", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "Unix", "a,b"])
def test_bad_lists(text: str) -> None:
    """An entry that is not an address is refused with a message that names it."""
    with pytest.raises(InvalidConfiguration, match="is not an address, a network"):
        TrustedProxies.parse(text)


@given(
    peer=st.sampled_from(["", "127.0.0.1", "10.0.0.1", "::1", "nonsense"]),
    forwarded=st.lists(
        st.text(st.characters(max_codepoint=255), max_size=50)
        | st.lists(st.ip_addresses().map(str) | st.text("0123456789:.[]%,", max_size=30)).map(
            ",".join
        ),
        max_size=5,
    ),
)
def test_any_header(peer: str, forwarded: list[str]) -> None:
    """Whatever the header contains, the client is an address or the peer."""
    for proxies in (LOCAL, NONE, NETWORK, EVERYBODY):
        client = proxies.client(peer, forwarded)
        if client != peer:
            assert str(ipaddress.ip_address(client)) == client
        assert len(limit_key(client, proxies)) <= len("ffff:ffff:ffff:ffff::/64")
