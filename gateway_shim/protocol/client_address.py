"""The address of a client, directly connected or behind proxies. Pure.

A proxy names its client in the header ``X-Forwarded-For``. Every client can send this header, too.
Therefore the header counts only if the operator has listed its sender as a trusted proxy. The
header is read from its end, because each proxy appends the address of its own peer. The first
address from the end that is not a trusted proxy is the client. The client may have invented all
entries before this address.

:meth:`TrustedProxies.client` returns the address of a client, for logs and for the application.
:meth:`TrustedProxies.limit_key` returns the key under which limits per address count the client.
Limits per address make the bounds fair between clients. No bound depends on them, because an
attacker may have many addresses.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from gateway_shim.errors import InvalidConfiguration

__all__ = ["DEFAULT_PROXIES", "MAX_HOPS", "TrustedProxies"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PROXIES = "127.0.0.1,::1,unix"
"""The default list: a proxy on the same machine, over TCP or over a Unix socket."""

MAX_HOPS = 32
"""The number of entries of ``X-Forwarded-For`` that are read, counted from its end."""

_EVERY_PEER = "*"
_UNIX = "unix"

_IPV6_PREFIX_BITS = 64
"""The length of the network that one IPv6 client can choose its addresses from (RFC 6177)."""


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The peers whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are trusted.

    Args:
        networks: the addresses of trusted proxies.
        unix: True if every peer of a Unix socket is trusted.
        every_peer: True if every peer is trusted.
    """

    networks: tuple[_Network, ...] = ()
    unix: bool = False
    every_peer: bool = False

    @classmethod
    def parse(cls, text: str) -> TrustedProxies:
        """Parse a comma-separated list of trusted proxies.

        Args:
            text: addresses, networks such as ``10.0.0.0/8``, ``unix``, or ``*`` for every peer.

        Raises:
            InvalidConfiguration: an entry is not one of these; the message names the entry.
        """
        entries = [part.strip() for part in text.split(",") if part.strip()]
        networks = []
        for entry in entries:
            if entry in (_UNIX, _EVERY_PEER):
                continue
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError as exc:
                raise InvalidConfiguration(
                    f"{entry!r} is not an address, a network such as 10.0.0.0/8, unix or *"
                ) from exc
        return cls(tuple(networks), _UNIX in entries, _EVERY_PEER in entries)

    def trusts(self, peer: str) -> bool:
        """Return True if a peer is a trusted proxy.

        Args:
            peer: the address at the other end of the connection; empty for a Unix socket.
        """
        if self.every_peer:
            return True
        if not peer:
            return self.unix
        address = _parsed(peer)
        return address is not None and self._is_listed(address)

    def client(self, peer: str, forwarded: Iterable[str]) -> str:
        """Return the client's address.

        Args:
            peer: the address at the other end of the connection; empty for a Unix socket.
            forwarded: the values of the request's ``X-Forwarded-For`` headers, in their order.

        Returns:
            The rightmost address that is not a trusted proxy, if the peer is a trusted proxy and
            names a client. Otherwise the peer's address. An IPv4 address that is written as IPv6
            is returned as IPv4.
        """
        address = _parsed(peer)
        peer_address = peer if address is None else str(address)
        if not self.trusts(peer):
            return peer_address
        hops = [hop for value in forwarded for hop in value.rsplit(",", MAX_HOPS)]
        client = peer_address
        for hop in reversed(hops[-MAX_HOPS:]):
            found = _parsed(_without_port(hop.strip()))
            if found is None:
                return peer_address
            if not self._is_listed(found):
                client = str(found)
                if not self.every_peer:
                    break
        return client

    def limit_key(self, address: str) -> str:
        """Return the key under which limits per address count a client.

        Args:
            address: a client's address, as :meth:`client` returns it.

        Returns:
            The address of an IPv4 client; the /64 network of an IPv6 client. Empty if the client is
            not counted: a loopback address, the peer of a Unix socket, or a trusted proxy that
            names no client.
        """
        parsed = _parsed(address)
        if parsed is None or parsed.is_loopback or self._is_listed(parsed):
            return ""
        if parsed.version == 4:
            return sys.intern(str(parsed))  # all streams of an address share one string
        host_bits = parsed.max_prefixlen - _IPV6_PREFIX_BITS
        network = ipaddress.IPv6Address(int(parsed) >> host_bits << host_bits)
        return sys.intern(f"{network}/{_IPV6_PREFIX_BITS}")

    def _is_listed(self, address: _Address) -> bool:
        return any(address in network for network in self.networks)


def _parsed(text: str) -> _Address | None:
    """Parse an address; return None if the text is not an address."""
    try:
        # An IPv6 address may end with a zone, such as %eth0.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _without_port(hop: str) -> str:
    """Remove the port that some proxies add: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
