"""Readers for the hosts, addresses and URLs that people write in settings."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

__all__ = ["InvalidAddress", "bind_text", "is_http_url", "listening_host", "split_bind"]

_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
_IPV6_LOCATION = re.compile(r"(?:[^@]*@)?\[[^\[\]]*\](?::[0-9]*)?")


class InvalidAddress(ValueError):
    """A text that is not an address. The message says what to write instead."""


def listening_host(text: str) -> str:
    """Read the host that a server should listen at.

    Args:
        text: a name, an IPv4 address, or an IPv6 address with or without brackets.

    Returns:
        The host in the form that sockets accept: an IPv6 address without brackets.

    Raises:
        InvalidAddress: the text is none of them.
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
    """Read ``host:port``, where an IPv6 address is in brackets.

    Returns:
        The host in the form that sockets accept, and the port.

    Raises:
        InvalidAddress: the text has another form.
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
    """Return an address in the form that gunicorn's ``bind`` accepts.

    Args:
        host: a result of :func:`listening_host`.
        port: TCP port.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_http_url(url: str) -> bool:
    """Return whether a text is an ``http`` or ``https`` URL that a request can be sent to.

    The URL may have a user and a password, and spaces in its path, which a request escapes.
    """
    if not url.isprintable():  # urlsplit drops some control characters silently
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # an invalid port, or only one of two brackets
        return False
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return False
    if "[" in parts.netloc:
        return _is_ipv6(host) and _IPV6_LOCATION.fullmatch(parts.netloc) is not None
    return _is_host_name(host)


def _is_port(text: str) -> bool:
    # At most five digits, because int() raises for a text of thousands of digits.
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 0 < int(text) <= 65535


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_host_name(text: str) -> bool:
    """Return whether a name server could know a name. Name servers know only ASCII names."""
    try:
        name = text.encode("idna").decode("ascii")
    except UnicodeError:  # an empty label, or one that is too long
        return False
    return _HOST_NAME.fullmatch(name) is not None
