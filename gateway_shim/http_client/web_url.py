"""Parses http and https URLs as browsers and Node's fetch do: :func:`parse_web_url`. Pure.

Source: the URL standard (https://url.spec.whatwg.org). This module implements the parts that
``http`` and ``https`` need. Unlike :mod:`urllib.parse`, the standard normalizes the URL as well:
``\\`` becomes ``/``, ``..`` is resolved, blanks at both ends are removed, and some characters are
escaped. Existing escapes stay unchanged.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote_to_bytes

import idna

from gateway_shim.errors import BadURL

__all__ = ["WebURL", "parse_web_url"]

_NO_URL = "the URL is not an http(s) URL"
"""The message does not show the URL, which may contain a secret, because messages are logged."""

_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BLANKS = "".join(map(chr, range(0x21)))
_DROPPED = str.maketrans("", "", "\t\n\r")
_SURROGATE = re.compile("[\ud800-\udfff]")
_AUTHORITY = re.compile(r"[^/\\?#]*")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
_FORBIDDEN_IN_HOST = re.compile(r"[\x00-\x20#%/:<>?@\[\\\]^|\x7f]")
_DOT = re.compile(r"\.|%2e", re.IGNORECASE)
_DOT_DOT = re.compile(r"(?:\.|%2e){2}", re.IGNORECASE)

# The characters that are not escaped, besides letters, digits and "_.-~". All others are escaped as
# UTF-8. "%" is not escaped, so that nothing is escaped twice. The sets are those of the standard,
# section 1.3.
_IN_PATH = "!$%&'()*+,/:;=@[\\]^|"
_IN_QUERY = "!$%&()*+,/:;=?@[\\]^`{|}"
_IN_USER = "!$%&'()*+,"


@dataclass(frozen=True, slots=True)
class WebURL:
    """An absolute http or https URL in its normal form, without a fragment.

    Args:
        scheme: ``http`` or ``https``.
        host: a name in ASCII, an IPv4 address, or an IPv6 address in brackets.
        port: the port to connect to.
        path: the path, which begins with ``/``; escaped.
        query: the query without its ``?``; escaped.
        user: the user name, not escaped.
        password: the password, not escaped.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""
    user: bytes = b""
    password: bytes = b""

    @property
    def target(self) -> str:
        """The request target: the path and the query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def location(self) -> str:
        """The ``Host`` header: the host, and the port unless it is the default of the scheme."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def socket_host(self) -> str:
        """The host for a socket: an IPv6 address without brackets."""
        return self.host.strip("[]")

    @property
    def origin(self) -> tuple[str, str, int]:
        """The scheme, host and port. URLs of the same origin can share a connection."""
        return self.scheme, self.host, self.port

    @property
    def authorization(self) -> str | None:
        """The Basic authorization with the user name and password (RFC 7617); None without both."""
        if not self.user and not self.password:
            return None
        return "Basic " + base64.b64encode(self.user + b":" + self.password).decode("ascii")

    def with_credentials_of(self, url: WebURL) -> WebURL:
        """Return this URL with the user name and password of a URL of the same origin.

        The change from ``http`` to ``https`` counts as the same origin if the host is the same and
        both use their default ports. For another origin, this URL is returned unchanged.
        """
        moved_to_tls = (url.scheme, url.port, self.scheme, self.port) == ("http", 80, "https", 443)
        same = self.origin == url.origin or (moved_to_tls and self.host == url.host)
        if not same:
            return self
        return replace(self, user=url.user, password=url.password)

    def __str__(self) -> str:
        """Return the URL without user name and password."""
        return f"{self.scheme}://{self.location}{self.target}"


def parse_web_url(text: str, base: WebURL | None = None) -> WebURL:
    """Parse a URL.

    The result does not get the user name and password of ``base``; see
    :meth:`WebURL.with_credentials_of`.

    Args:
        text: an absolute URL, or a URL relative to ``base``.
        base: the URL of the answer that contained ``text``.

    Raises:
        BadURL: the text is not an http(s) URL.
    """
    text = text.strip(_BLANKS).translate(_DROPPED)
    scheme, rest = None, text
    if match := _SCHEME.match(text):
        scheme, rest = match[1].lower(), text[match.end() :]
        if scheme not in _PORTS:
            raise BadURL(_NO_URL)
    rest = rest.partition("#")[0]
    slashes = len(rest) - len(rest.lstrip("/\\"))
    if base is not None and scheme in (None, base.scheme) and slashes < 2:
        return _relative(rest, base)
    scheme = scheme or (base.scheme if base is not None else None)
    if scheme is None:
        raise BadURL(_NO_URL)
    return _absolute(scheme, rest[slashes:])


def _absolute(scheme: str, rest: str) -> WebURL:
    match = _AUTHORITY.match(rest)
    authority = match[0] if match else ""
    user_info, _, location = authority.rpartition("@")
    user, _, password = user_info.partition(":")
    parts = _HOST_AND_PORT.fullmatch(location)
    if parts is None:
        raise BadURL(_NO_URL)
    digits = (parts[2] or "").lstrip("0")
    if len(digits) > 5 or int(digits or "0") > 65535:
        raise BadURL(_NO_URL)
    path, mark, query = rest[len(authority) :].partition("?")
    return WebURL(
        scheme,
        _host(parts[1]),
        int(digits or "0") if parts[2] else _PORTS[scheme],
        _path(path, "/"),
        _escape(query, _IN_QUERY) if mark else "",
        _plain(user),
        _plain(password),
    )


def _relative(rest: str, base: WebURL) -> WebURL:
    path, mark, query = rest.partition("?")
    return WebURL(
        base.scheme,
        base.host,
        base.port,
        _path(path, base.path) if path else base.path,
        _escape(query, _IN_QUERY) if mark or path else base.query,
    )


def _path(path: str, base: str) -> str:
    """Resolve a path against a base path, which is in its normal form."""
    path = path.replace("\\", "/")
    kept = [] if path.startswith("/") else base.split("/")[1:-1]
    segments = path.removeprefix("/").split("/")
    for number, segment in enumerate(segments, 1):
        last = number == len(segments)
        if _DOT_DOT.fullmatch(segment):
            del kept[-1:]
        elif not _DOT.fullmatch(segment):
            kept.append(_escape(segment, _IN_PATH))
            continue
        if last:
            kept.append("")
    return "/" + "/".join(kept)


def _escape(text: str, safe: str) -> str:
    return quote(_SURROGATE.sub("\ufffd", text), safe=safe)


def _plain(user: str) -> bytes:
    return unquote_to_bytes(_escape(user, _IN_USER))


def _host(text: str) -> str:
    """Return the normal form of a host (section 3.5 of the standard).

    Raises:
        BadURL: the host is neither a name nor an address.
    """
    if text.startswith("["):
        try:
            if "%" in text:  # a zone, which is not allowed in URLs
                raise ValueError
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
        except ValueError:
            raise BadURL(_NO_URL) from None
    try:
        name = unquote_to_bytes(text).decode()
        if not name.isascii():
            name = idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:  # idna's errors are UnicodeErrors, too
        raise BadURL(_NO_URL) from None
    name = name.lower()
    if not name or _FORBIDDEN_IN_HOST.search(name) or len(name) > 253:
        raise BadURL(_NO_URL)
    labels = name.removesuffix(".").split(".")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        return _ipv4(labels)
    if not all(0 < len(label) < 64 for label in labels):  # not a valid name in the DNS
        raise BadURL(_NO_URL)
    return name


def _ipv4(labels: list[str]) -> str:
    """Return the IPv4 address of one to four numbers, each decimal, octal or hexadecimal."""
    numbers = [_number(label) for label in labels]
    *first, last = numbers
    if len(numbers) > 4 or any(number > 255 for number in first):
        raise BadURL(_NO_URL)
    if last >= 256 ** (5 - len(numbers)):
        raise BadURL(_NO_URL)
    value = last + sum(number << (8 * (3 - place)) for place, number in enumerate(first))
    return str(ipaddress.IPv4Address(value))


def _number(label: str) -> int:
    if len(label) > 40:  # int() has a limit, too
        raise BadURL(_NO_URL)
    try:
        if label.startswith("0x"):
            return int(label[2:] or "0", 16)
        return int(label, 8 if label.startswith("0") and len(label) > 1 else 10)
    except ValueError:
        raise BadURL(_NO_URL) from None
