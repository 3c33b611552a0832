"""The key under which limits per address count a client, and the addresses that are exempt.

The limits on streams, connections, bodies, answers, and tasks of one address use the same key. They
make the bounds fair between clients. No bound depends on them, because an attacker may have many
addresses.
"""

from __future__ import annotations

import ipaddress
import sys

from gateway_shim.protocol.client_address import TrustedProxies, parse_address

__all__ = ["LimitKeys", "limit_key"]

_REMEMBERED = 1024
"""The number of addresses whose keys are remembered."""

_IPV6_PREFIX_BITS = 64
"""The length of the network that one IPv6 client can choose its addresses from (RFC 6177)."""


class LimitKeys:
    """The keys of the addresses that were asked for last: each connect needs its key four times."""

    def __init__(self) -> None:
        self._proxies: TrustedProxies | None = None
        self._keys: dict[str, str] = {}

    def of(self, address: str, proxies: TrustedProxies) -> str:
        """Return the key of an address (:func:`limit_key`)."""
        if proxies is not self._proxies:
            self._proxies, self._keys = proxies, {}
        key = self._keys.get(address)
        if key is None:
            if len(self._keys) >= _REMEMBERED:
                self._keys.clear()
            key = self._keys[address] = limit_key(address, proxies)
        return key


def limit_key(address: str, proxies: TrustedProxies) -> str:
    """Return the key under which limits per address count a client.

    Args:
        address: a client's address, as :meth:`TrustedProxies.client` returns it.
        proxies: the trusted proxies, which are exempt.

    Returns:
        The address of an IPv4 client; the /64 network of an IPv6 client. Empty if the client is
        exempt: a loopback address, the peer of a Unix socket, or a trusted proxy that names no
        client.
    """
    parsed = parse_address(address)
    if parsed is None or parsed.is_loopback or proxies.lists(parsed):
        return ""
    if parsed.version == 4:
        return sys.intern(str(parsed))  # all streams of an address share one string
    host_bits = parsed.max_prefixlen - _IPV6_PREFIX_BITS
    network = ipaddress.IPv6Address(int(parsed) >> host_bits << host_bits)
    return sys.intern(f"{network}/{_IPV6_PREFIX_BITS}")
