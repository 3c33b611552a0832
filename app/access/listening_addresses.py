"""The IP addresses of listening sockets: who can reach them, and which of them overlap."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["arrived_at", "is_loopback", "is_taken", "resolve_host"]


def resolve_host(host: str) -> str:
    """Return the IP address on which a server with this host listens.

    Args:
        host: a name or an address, without brackets.

    Raises:
        OSError: the name has no address.
        UnicodeError: the name cannot be looked up.
    """
    return host if ":" in host else socket.gethostbyname(host)


def arrived_at(environ: WSGIEnvironment) -> tuple[str, int] | None:
    """Return the address and the port of the listening socket that a request came to.

    A client cannot forge them.

    Args:
        environ: the environment of the request (PEP 3333).

    Returns:
        None for a Unix socket.
    """
    connection = environ.get("gunicorn.socket")
    # For a Unix socket, gunicorn uses the client's Host header as the name of the server.
    if connection is not None and connection.family == socket.AF_UNIX:
        return None
    return environ.get("SERVER_NAME", ""), int(environ.get("SERVER_PORT") or 0)


def is_taken(address: str, host: str) -> bool:
    """Return whether a server on a host excludes another server on the same port.

    Args:
        address: the IP address of the other server.
        host: a name or an address. A name without an address excludes nothing: the start of
            that server itself fails.
    """
    try:
        taken = {resolve_host(host)}
    except OSError:
        return False
    if host == "localhost":
        taken.add("::1")
    return any(_exclude(address, other) for other in taken)


def _exclude(address: str, other: str) -> bool:
    both = (address, other)
    # On Linux, a socket on "::" takes the port for IPv4 as well.
    return (
        address == other or "::" in both or ("0.0.0.0" in both and not any(":" in a for a in both))
    )


@lru_cache(256)
def is_loopback(address: str) -> bool:
    """Return whether only this machine can reach a server that listens on an address.

    Args:
        address: an IP address or a name; empty for a Unix socket. The only name that counts as
            loopback is ``localhost``.
    """
    if address in ("", "localhost"):
        return True
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_loopback)
