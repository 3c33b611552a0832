"""The address of a client, directly connected or behind proxies. Pure.

A proxy names its client in the header ``X-Forwarded-For``. Every client can send this header, too.
Therefore the header counts only if the operator has listed its sender as a trusted proxy. The
header is read from its end, because each proxy appends the address of its own peer. The first
address from the end that is not a trusted proxy is the client. The client may have invented all
entries before this address.

:mod:`gateway_shim.streams.opening.limits_per_address` decides how limits count this address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from gateway_shim.errors import InvalidConfiguration

__all__ = ["DEFAULT_PROXIES", "MAX_HOPS", "Address", "TrustedProxies", "parse_address"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
"""An IP address of either version."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PROXIES = "127.0.0.1,::1,unix"
"""The default list: a proxy on the same machine, over TCP or over a Unix socket."""

MAX_HOPS = 32
"""The number of entries of ``X-Forwarded-For`` that are read, counted from its end."""

_LONGEST_CACHED = 64
"""The characters of the longest text whose address is remembered. Clients may send longer ones."""

_EVERY_PEER = "*"
_UNIX = "unix"


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
        address = parse_address(peer)
        return address is not None and self.lists(address)

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
        peer_address = _normal(peer)
        hops = [hop for value in forwarded for hop in value.rsplit(",", MAX_HOPS)]
        if not hops or not self.trusts(peer):
            return peer_address
        client = peer_address
        for hop in reversed(hops[-MAX_HOPS:]):
            found = parse_address(_without_port(hop.strip()))
            if found is None:
                return peer_address
            if not self.lists(found):
                client = str(found)
                if not self.every_peer:
                    break
        return client

    def lists(self, address: Address) -> bool:
        """Return whether an address is in the list of trusted proxies."""
        return any(address in network for network in self.networks)


def parse_address(text: str) -> Address | None:
    """Parse an address; return None if the text is not an address.

    The last results are remembered: each connect parses the addresses of its peer several times.
    """
    return _parse_again(text) if len(text) <= _LONGEST_CACHED else _parse(text)


def _parse(text: str) -> Address | None:
    try:
        # An IPv6 address may end with a zone, such as %eth0.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(1024)
def _normal(peer: str) -> str:
    """Return the normal form of a peer's address; other texts are returned unchanged."""
    address = parse_address(peer)
    return peer if address is None else str(address)


_parse_again = lru_cache(1024)(_parse)


def _without_port(hop: str) -> str:
    """Remove the port that some proxies add: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
