"""URLs of HTTP servers as browsers and Node's fetch read them: :func:`parse_web_url`. Pure.

Source: the URL standard (https://url.spec.whatwg.org), of which the parts that ``http`` and
``https`` need are here. Where :mod:`urllib.parse` splits a text, the standard also normalizes it:
``\\`` is a ``/``, ``..`` is resolved, blanks at both ends go, and some characters are escaped, but
an escape that is there already stays as it is.
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
"""Without the URL itself: it may hold a password or a secret, and messages go to the log."""

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

# What is sent as it is, besides letters, digits and "_.-~". All else is escaped as UTF-8; "%" is
# among them, so nothing is escaped twice. The sets are the standard's, section 1.3.
_IN_PATH = "!$%&'()*+,/:;=@[\\]^|"
_IN_QUERY = "!$%&()*+,/:;=?@[\\]^`{|}"
_IN_USER = "!$%&'()*+,"


@dataclass(frozen=True, slots=True)
class WebURL:
    """An absolute http or https URL in its normal form, without a fragment.

    Args:
        scheme: ``http`` or ``https``.
        host: a name in ASCII, an IPv4 address, or an IPv6 address in brackets.
        port: the one to connect to.
        path: begins with ``/``; escaped.
        query: without its ``?``; escaped.
        user: user name, not escaped.
        password: not escaped.
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
        """The request target: path and query, as they are sent."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def location(self) -> str:
        """Host and port, the scheme's own port left out, as the ``Host`` header has them."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def socket_host(self) -> str:
        """The host as sockets take it: an IPv6 address has no brackets."""
        return self.host.strip("[]")

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: URLs that share it can share a connection."""
        return self.scheme, self.host, self.port

    @property
    def authorization(self) -> str | None:
        """The Basic authorization that user name and password ask for (RFC 7617), or None."""
        if not self.user and not self.password:
            return None
        return "Basic " + base64.b64encode(self.user + b":" + self.password).decode("ascii")

    def with_credentials_of(self, url: WebURL) -> WebURL:
        """Return this URL with the user name and password of another one at the same origin.

        ``http`` to ``https`` is the same place as long as each has its own port.
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
    """Read a URL.

    The user name and password of ``base`` are not taken over: see
    :meth:`WebURL.with_credentials_of`.

    Args:
        text: absolute, or relative to ``base``.
        base: the URL of the answer that ``text`` was in.

    Raises:
        BadURL: it is not an http(s) URL.
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
    """Resolve a path against another one, which is in its normal form."""
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
    """Return a host's normal form; the standard's section 3.5.

    Raises:
        BadURL: it is neither a name nor an address.
    """
    if text.startswith("["):
        try:
            if "%" in text:  # a zone, which URLs do not have
                raise ValueError
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
        except ValueError:
            raise BadURL(_NO_URL) from None
    try:
        name = unquote_to_bytes(text).decode()
        if not name.isascii():
            name = idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:  # also idna's own
        raise BadURL(_NO_URL) from None
    name = name.lower()
    if not name or _FORBIDDEN_IN_HOST.search(name) or len(name) > 253:
        raise BadURL(_NO_URL)
    labels = name.removesuffix(".").split(".")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        return _ipv4(labels)
    if not all(0 < len(label) < 64 for label in labels):  # which name servers do not have
        raise BadURL(_NO_URL)
    return name


def _ipv4(labels: list[str]) -> str:
    """Return an IPv4 address of one to four numbers, decimal, octal or hexadecimal."""
    numbers = [_number(label) for label in labels]
    *first, last = numbers
    if len(numbers) > 4 or any(number > 255 for number in first):
        raise BadURL(_NO_URL)
    if last >= 256 ** (5 - len(numbers)):
        raise BadURL(_NO_URL)
    value = last + sum(number << (8 * (3 - place)) for place, number in enumerate(first))
    return str(ipaddress.IPv4Address(value))


def _number(label: str) -> int:
    if len(label) > 40:  # also int() has a limit
        raise BadURL(_NO_URL)
    try:
        if label.startswith("0x"):
            return int(label[2:] or "0", 16)
        return int(label, 8 if label.startswith("0") and len(label) > 1 else 10)
    except ValueError:
        raise BadURL(_NO_URL) from None
