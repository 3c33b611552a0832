"""Checks the ``Host`` of requests, as protection against DNS rebinding.

The owner of a page at ``http://evil.example:5000`` can let that name resolve to 127.0.0.1. For the
browser, the developer's server then has the same origin as the page. Only the header ``Host`` shows
that the page has another name.
"""

from __future__ import annotations

import ipaddress
import re

from app.access.listening_addresses import is_loopback

__all__ = ["HostNames"]

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]*)?")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


class HostNames:
    """The host names under which requests may reach a server.

    Args:
        text: ``ALLOWED_HOSTS``: names and addresses without port, separated by commas.
            ``*.app.example`` stands for every name below ``app.example``, ``*`` for all names.

    Raises:
        ValueError: an entry is neither a name nor an address.
    """

    def __init__(self, text: str) -> None:
        entries = [entry.strip().lower() for entry in text.split(",") if entry.strip()]
        for entry in entries:
            if entry != "*" and not _is_entry(entry):
                raise ValueError(
                    f"{entry!r} is not a host: write names or addresses without scheme and port,"
                    " such as app.example, *.app.example or 192.0.2.7, separated by commas"
                )
        self._every_name = "*" in entries
        self._names = {entry.strip("[]") for entry in entries}
        self._suffixes = tuple(entry[1:] for entry in entries if entry.startswith("*."))

    def permit(self, host: str | None, address: str, *, is_unix: bool) -> bool:
        """Return whether a request with this host may be answered.

        Args:
            host: the ``Host`` header of the request. A missing or empty header is permitted,
                because every browser sends one.
            address: the IP address of the listening socket. If other machines can reach it, every
                name is permitted unless ``ALLOWED_HOSTS`` lists some, because the names of the
                server are unknown.
            is_unix: whether the request came to a Unix socket instead, for instance from a proxy.
        """
        if self._every_name or not host:
            return True
        if not self._names and (is_unix or not is_loopback(address)):
            return True
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found[1].strip("[]").removesuffix(".")
        # These names are not in the DNS, so the request comes from this machine.
        if is_loopback(name) or name.endswith(".localhost"):
            return True
        return name in self._names or name.endswith(self._suffixes)


def _is_entry(text: str) -> bool:
    if _NAME.fullmatch(text):
        return True
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
