"""The address of the client behind a connection, also where proxies stand between. Pure.

A proxy names its client in ``X-Forwarded-For``, and anybody can write that header. So it is
believed only from the peers that the operator has listed, and read from its end: each proxy appends
the peer that it has seen, so what stands left of the first unknown peer is that peer's own word.

:meth:`TrustedProxies.client` says who a client is, for logs and for the application.
:meth:`TrustedProxies.limit_key` says what limits per address count it as.
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
"""A proxy on the same machine, over TCP or over a Unix socket."""

MAX_HOPS = 32
"""Entries of one ``X-Forwarded-For`` that are looked at, from its end."""

_EVERYBODY = "*"
_UNIX = "unix"

_IPV6_PREFIX_BITS = 64
"""One IPv6 client has a whole /64 to choose its addresses from (RFC 6177)."""


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The peers whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.

    Args:
        networks: their addresses.
        unix: whether every peer of a Unix socket is one.
        everybody: whether every peer is one.
    """

    networks: tuple[_Network, ...] = ()
    unix: bool = False
    everybody: bool = False

    @classmethod
    def parse(cls, text: str) -> TrustedProxies:
        """Read a comma-separated list.

        Args:
            text: addresses, networks such as ``10.0.0.0/8``, ``unix``, or ``*`` for everybody.

        Raises:
            InvalidConfiguration: an entry is none of these; says which.
        """
        entries = [part.strip() for part in text.split(",") if part.strip()]
        networks = []
        for entry in entries:
            if entry in (_UNIX, _EVERYBODY):
                continue
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError as exc:
                raise InvalidConfiguration(
                    f"{entry!r} is not an address, a network such as 10.0.0.0/8, unix or *"
                ) from exc
        return cls(tuple(networks), _UNIX in entries, _EVERYBODY in entries)

    def trusts(self, peer: str) -> bool:
        """Return whether a peer is a trusted proxy.

        Args:
            peer: the address at the other end of the connection; empty for a Unix socket's.
        """
        if self.everybody:
            return True
        if not peer:
            return self.unix
        address = _parsed(peer)
        return address is not None and self._lists(address)

    def client(self, peer: str, forwarded: Iterable[str]) -> str:
        """Return the client's address.

        Args:
            peer: the address at the other end of the connection; empty for a Unix socket's.
            forwarded: the values of the request's ``X-Forwarded-For`` headers, in their order.

        Returns:
            The rightmost address that is no trusted proxy, if the peer is one and names a client;
            the peer's address otherwise. IPv4 addresses written as IPv6 become IPv4.
        """
        address = _parsed(peer)
        own = peer if address is None else str(address)
        if not self.trusts(peer):
            return own
        hops = [hop for value in forwarded for hop in value.rsplit(",", MAX_HOPS)]
        named = own
        for hop in reversed(hops[-MAX_HOPS:]):
            found = _parsed(_without_port(hop.strip()))
            if found is None:
                return own
            if not self._lists(found):
                named = str(found)
                if not self.everybody:
                    break
        return named

    def limit_key(self, address: str) -> str:
        """Return what limits per address count a client as.

        Args:
            address: a client's address, as :meth:`client` returns it.

        Returns:
            The address, of IPv6 the /64 network. Empty if the client is not counted: loopback,
            the peer of a Unix socket, a trusted proxy that names no client.
        """
        parsed = _parsed(address)
        if parsed is None or parsed.is_loopback or self._lists(parsed):
            return ""
        if parsed.version == 4:
            return sys.intern(str(parsed))  # one string for all streams of an address
        host_bits = parsed.max_prefixlen - _IPV6_PREFIX_BITS
        network = ipaddress.IPv6Address(int(parsed) >> host_bits << host_bits)
        return sys.intern(f"{network}/{_IPV6_PREFIX_BITS}")

    def _lists(self, address: _Address) -> bool:
        return any(address in network for network in self.networks)


def _parsed(text: str) -> _Address | None:
    """Read an address; None if the text is not one."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])  # without an IPv6 zone
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _without_port(hop: str) -> str:
    """Remove the port that some proxies append: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
