"""Hosts to listen at and URLs to call, as people write them in settings."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

__all__ = ["InvalidAddress", "bind_text", "is_http_url", "listening_host", "split_bind"]

_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
_IPV6_LOCATION = re.compile(r"(?:[^@]*@)?\[[^\[\]]*\](?::[0-9]*)?")


class InvalidAddress(ValueError):
    """A text that is not an address; the message says what to write instead."""


def listening_host(text: str) -> str:
    """Read the host that a server is to listen at.

    Args:
        text: a name, an IPv4 address, or an IPv6 address with or without brackets.

    Returns:
        The host as sockets take it: an IPv6 address has no brackets.

    Raises:
        InvalidAddress: it is none of them.
    """
    if text.startswith(("unix:", "/")):
        raise InvalidAddress(
            "must be a host name or an IP address; to listen at a Unix socket start gunicorn"
            " with --bind unix:/path"
        )
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare or bare != text:
        try:
            return ipaddress.IPv6Address(bare).compressed
        except ValueError:
            raise InvalidAddress(
                "must be a host name or an IP address, without scheme and port, such as"
                " 127.0.0.1, ::1 or localhost"
            ) from None
    if not _is_host_name(text):
        raise InvalidAddress(
            "must be a host name or an IP address, such as 127.0.0.1, ::1 or localhost"
        )
    return text


def split_bind(text: str) -> tuple[str, int]:
    """Read ``host:port``, an IPv6 address in brackets.

    Returns:
        The host as sockets take it, and the port.

    Raises:
        InvalidAddress: it is something else.
    """
    host, _, port = text.rpartition(":")
    if not host or not _is_port(port):
        raise InvalidAddress("must be host:port, such as 127.0.0.1:5001 or [::1]:5001")
    if _is_ipv6(host):
        raise InvalidAddress(
            f"must be host:port with an IPv6 address in brackets: write [{host}]:{port}"
        )
    return listening_host(host), int(port)


def bind_text(host: str, port: int) -> str:
    """Write an address as gunicorn's ``bind`` takes it.

    Args:
        host: as :func:`listening_host` returns it.
        port: TCP port.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_http_url(url: str) -> bool:
    """Tell whether a request could be sent to an ``http`` or ``https`` URL.

    A user and a password are allowed, and spaces in the path are (a request escapes them).
    """
    if not url.isprintable():  # urlsplit drops some control characters without a word
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is not one, half a bracket
        return False
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return False
    if "[" in parts.netloc:
        return _is_ipv6(host) and _IPV6_LOCATION.fullmatch(parts.netloc) is not None
    return _is_host_name(host)


def _is_port(text: str) -> bool:
    # At most five digits: int() of some thousand would raise.
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 0 < int(text) <= 65535


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_host_name(text: str) -> bool:
    """Return whether a text can be looked up: name servers know ASCII names only."""
    try:
        name = text.encode("idna").decode("ascii")
    except UnicodeError:  # an empty label, or one that is too long
        return False
    return _HOST_NAME.fullmatch(name) is not None
