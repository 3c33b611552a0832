"""The URL of a Redis server.

::

    redis://[user[:password]@]host[:port][/db]       plain TCP
    rediss://…                                       TLS
    unix://[user[:password]@]/path/of/socket[?db=1]  a Unix socket
    redis+sentinel://[user[:password]@]host:port[,host:port…]/service[/db]
    rediss+sentinel://…                              the primary that Sentinels know, over TLS

Parameters after ``?``: ``ssl_ca_certs``, a file with the certificates of the authorities that are
trusted; ``ssl_certfile`` and ``ssl_keyfile``, for a server that asks for a certificate;
``sentinel_username`` and ``sentinel_password``. User names and passwords are percent-encoded.
Sentinels are asked over TLS if the primary is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from gateway_shim.errors import InvalidConfiguration

__all__ = ["RedisURL"]

_FORMS = (
    "use redis://user:password@host:6379/0, rediss://…, unix:///path/of/socket, or"
    " redis+sentinel://host:26379,host:26379/service/0"
)
_SCHEMES = frozenset({"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"})
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_HOST = re.compile(
    r"\[(?P<v6>[0-9A-Fa-f:.]+)\](?::(?P<v6port>\d+))?|(?P<host>[^:\[\],\s]+)(?::(?P<port>\d+))?"
)


@dataclass(frozen=True)
class RedisURL:
    """A Redis server, or the Sentinels that know it. Make one with :meth:`parse`.

    Args:
        addresses: hosts and ports; of the Sentinels if there is a service.
        path: the path of a Unix socket; empty for TCP.
        service: the name of the primary among the Sentinels; empty without them.
        db: the number of the database.
        user: the ACL user; empty: the default user.
        password: the password; empty: none.
        tls: the files for TLS, by redis-py's names; None: no TLS.
        sentinel_user: the user at the Sentinels.
        sentinel_password: the password at the Sentinels.
    """

    addresses: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    tls: dict[str, str] | None = None
    sentinel_user: str = ""
    sentinel_password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> RedisURL:
        """Read a URL.

        Raises:
            InvalidConfiguration: the URL cannot be used. The message never holds a password.
        """
        try:
            parts = urlsplit(text.strip())
        except ValueError:
            raise _wrong("cannot be read") from None
        if parts.scheme not in _SCHEMES:
            # Not the text itself: without a scheme, it may begin with a password.
            raise _wrong("begins with no known scheme")
        if parts.fragment:
            raise _wrong("has a '#'; write %23 in a password")
        login, _, place = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        has_sentinels = parts.scheme.endswith("sentinel")
        addresses: tuple[tuple[str, int], ...] = ()
        if parts.scheme != "unix":
            # First of all: with a password that is not encoded, the rest is a part of it.
            addresses = _addresses(place, 26379 if has_sentinels else 6379, has_sentinels)
        options = _options(parts.query, parts.scheme)
        tls = None
        if parts.scheme.startswith("rediss"):
            tls = {name: options[name] for name in _TLS_FILES if name in options}
            _check_files(tls)
        path, service, db = _place(parts.scheme, place, parts.path, options.get("db", ""))
        return cls(
            addresses=addresses,
            path=path,
            service=service,
            db=db,
            user=unquote(user),
            password=unquote(password),
            tls=tls,
            sentinel_user=options.get("sentinel_username", ""),
            sentinel_password=options.get("sentinel_password", ""),
        )

    def __str__(self) -> str:
        """Return the URL without user names and passwords, for messages."""
        if self.path:
            return f"unix://{self.path}" + (f"?db={self.db}" if self.db else "")
        scheme = "redis" if self.tls is None else "rediss"
        hosts = ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.addresses
        )
        if self.service:
            return f"{scheme}+sentinel://{hosts}/{self.service}/{self.db}"
        return f"{scheme}://{hosts}/{self.db}"


def _wrong(what: str) -> InvalidConfiguration:
    return InvalidConfiguration(f"the URL of Redis {what}; {_FORMS}")


def _options(query: str, scheme: str) -> dict[str, str]:
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise _wrong("has parameters that cannot be read") from None
    known = {"db"} if scheme == "unix" else set()
    if scheme.startswith("rediss"):
        known.update(_TLS_FILES)
    if scheme.endswith("sentinel"):
        known.update(("sentinel_username", "sentinel_password"))
    unknown = sorted(options.keys() - known)
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        raise _wrong(f"has the parameter {unknown[0]!r}; known with {scheme}:// are: {names}")
    return options


def _place(scheme: str, place: str, path: str, db: str) -> tuple[str, str, int]:
    """Return the path of a Unix socket, the service, and the number of the database."""
    if scheme == "unix":
        if place or not path.startswith("/"):
            raise _wrong("names no absolute path of a socket")
        return unquote(path), "", _number(db or "0")
    names = [unquote(name) for name in path.split("/")[1:] if name]
    if not scheme.endswith("sentinel"):
        if len(names) > 1:
            raise _wrong("has more than a number behind the host")
        return "", "", _number(names[0] if names else "0")
    if not 1 <= len(names) <= 2:
        raise _wrong("must name a service behind the Sentinels, and may name a database")
    return "", names[0], _number(names[1] if len(names) == 2 else "0")


def _number(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,6}", text) is None:
        raise _wrong("must name the database by a number")
    return int(text)


def _addresses(place: str, port: int, many: bool) -> tuple[tuple[str, int], ...]:
    texts = place.split(",") if many else [place]
    found = []
    for text in texts:
        match = _HOST.fullmatch(text)
        if match is None:
            raise _wrong("names no host, or its port is not a number; encode ':', '@' and '/'")
        number = int(match["v6port"] or match["port"] or port)
        if not 1 <= number <= 65535:
            raise _wrong(f"names the port {number}")
        found.append((match["v6"] or match["host"], number))
    return tuple(found)


def _check_files(tls: dict[str, str]) -> None:
    for name, path in tls.items():
        try:
            with Path(path).open("rb"):
                pass
        except OSError as exc:
            raise InvalidConfiguration(
                f"the URL of Redis has {name}={path}, which cannot be read: {exc.strerror}"
            ) from exc
