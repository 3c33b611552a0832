"""The checks before the server starts: its addresses and its certificate.

Each check fails at once with a message that says what to do. gunicorn would fail later and say
less.
"""

from __future__ import annotations

import errno
import socket
import ssl

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.server.addresses import bind_text
from gateway_shim.server.systemd import listening_already

__all__ = ["check_address", "check_certificate", "hosts"]

_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
_IPV4_INSTEAD = {"::": "0.0.0.0", "::1": "127.0.0.1"}


def hosts(host: str) -> list[str]:
    """Return the addresses to listen on: a host can stand for an IPv4 and an IPv6 address.

    Args:
        host: ``localhost`` means both loopback addresses where both exist, because a client may
            try either of them first. ``::`` means all addresses, including those of IPv4, as for
            the Node gateway. Any other host means only itself.
    """
    if host == "localhost":
        return ["127.0.0.1", "::1"] if _can_bind("::1") else ["127.0.0.1"]
    if host == "::" and _excludes_ipv4():
        return ["::", "0.0.0.0"]
    return [host]


def check_address(host: str, port: int, setting: str | None = None) -> None:
    """Check that the server can listen on an address.

    gunicorn tries for five seconds and then says less. Sockets that systemd has handed over are
    not checked: they are listening already.

    Args:
        host: the address to listen on.
        port: TCP port.
        setting: the one setting that holds the address; None for HOST and PORT or their options.

    Raises:
        InvalidConfiguration: the address cannot be used; says why, and what to do.
    """
    if listening_already():
        return
    for name in hosts(host):
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((name, port))
        except OSError as exc:
            hint = f"check {setting or 'HOST and PORT'}"
            if exc.errno == errno.EADDRINUSE:
                hint = f"choose another with {setting or '--port'}"
            elif name in _IPV4_INSTEAD and exc.errno in _NO_IPV6:
                hint = f"this machine has no IPv6: use {_IPV4_INSTEAD[name]} instead"
            raise InvalidConfiguration(
                f"cannot listen on {bind_text(name, port)}: {exc.strerror}; {hint}"
            ) from exc


def check_certificate(certfile: str | None, keyfile: str | None) -> None:
    """Check that a certificate can be used, at the start instead of at the first client.

    Args:
        certfile: path of the certificate chain, PEM.
        keyfile: path of the private key, PEM, without a pass phrase.

    Raises:
        InvalidConfiguration: the certificate cannot be used; says why.
    """
    if certfile is None or keyfile is None:
        raise InvalidConfiguration("TLS needs both a certificate and a key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            certfile, keyfile, password=_refuse_pass_phrase
        )
    except OSError as exc:  # ssl.SSLError is an OSError
        raise InvalidConfiguration(f"cannot use {certfile} with {keyfile}: {exc}") from exc


def _can_bind(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _excludes_ipv4() -> bool:
    """Return whether a socket at ``::`` takes no IPv4 (``net.ipv6.bindv6only`` is set)."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            return probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) != 0
    except OSError:
        return False  # this machine has no IPv6; check_address reports that


def _refuse_pass_phrase() -> str:
    """Refuse an encrypted key. Without this callback OpenSSL would ask at the terminal."""
    raise InvalidConfiguration("the key is encrypted; write it without a pass phrase")
