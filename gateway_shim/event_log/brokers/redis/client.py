"""One connection to Redis, and what its errors mean.

redis-py repeats a command ten times by default, so one append could become two. Here nothing is
repeated: the callers do it, because they know what may be repeated.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from redis import connection as connections
from redis import exceptions, sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway_shim.errors import BusRefused, BusUnreachable, LogUnavailable
from gateway_shim.event_log.brokers.redis.scripts import Script
from gateway_shim.event_log.brokers.redis.url import RedisURL

__all__ = ["CONNECT_SECONDS", "RedisClient"]

# These classes have no types of their own.
_TCP: Any = connections.Connection
_TLS: Any = connections.SSLConnection
_UNIX: Any = connections.UnixDomainSocketConnection
_SENTINEL: Any = sentinel.Sentinel

CONNECT_SECONDS = 2.0
"""The time limit for making a connection, and for each answer of a Sentinel."""

_PASSING = frozenset(
    {
        "READONLY",
        "LOADING",
        "BUSY",
        "MASTERDOWN",
        "TRYAGAIN",
        "CLUSTERDOWN",
        "UNBLOCKED",
        "NOREPLICAS",
    }
)
"""The refusals that end without an operator: a failover, a start."""

_REMEDIES = {
    "OOM": "Redis has reached its maxmemory: raise it, or keep fewer events in Redis",
    "MISCONF": "Redis cannot write its files: look at its log, free space on its disk",
    "NOPERM": "give the ACL user the rights that docs/operations.md lists",
    "NOAUTH": "put the password into the URL",
    "WRONGPASS": "correct the user name and the password in the URL",
    "READONLY": "this is a replica: name the primary, or use redis+sentinel://",
    "LOADING": "Redis has not yet read its files",
    "NOREPLICAS": "Redis has fewer replicas than min-replicas-to-write",
    "MOVED": "a Redis Cluster is not followed: name the server that holds the keys' slot",
    "WRONGTYPE": "another program uses these keys: choose another prefix",
}


class RedisClient:
    """A connection, which is made when it is needed. For one greenlet at a time.

    Args:
        url: the server.
        seconds: the longest wait for an answer.
    """

    def __init__(self, url: RedisURL, seconds: float) -> None:
        self._url = url
        self._seconds = seconds
        self._connection: Any = None

    def call(self, *command: str | bytes | int) -> Any:
        """Send one command, and return the answer: bytes, int, None, or a list of such.

        Raises:
            BusUnreachable: there was no answer. The command may have been carried out.
            BusRefused: Redis has refused the command.
        """
        try:
            connection = self._connection or self._connect()
        except (exceptions.RedisError, OSError, UnicodeError) as exc:
            raise self._translated(exc, was_sent=False) from exc
        try:
            return self._exchange(connection, command)
        except (exceptions.RedisError, OSError, UnicodeError) as exc:
            raise self._translated(exc, was_sent=True) from exc

    def run(self, script: Script, keys: Sequence[str], *arguments: str | bytes | int) -> Any:
        """Run a script, and return its answer. Raises as :meth:`call` does."""
        try:
            return self.call("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except BusRefused as exc:
            if not isinstance(exc.__cause__, exceptions.NoScriptError):
                raise
        return self.call("EVAL", script.text, len(keys), *keys, *arguments)

    def close(self) -> None:
        """Close the connection. The next call makes another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _exchange(self, connection: Any, command: tuple[str | bytes | int, ...]) -> Any:
        try:
            connection.send_command(*command)
            return connection.read_response()
        except exceptions.ResponseError as exc:
            if _code_of(exc) in _PASSING:
                self.close()  # the next one may lead to the new primary
            raise
        except BaseException:
            # Also when this greenlet is killed: the answer would be taken for that of the next.
            self.close()
            raise

    def _connect(self) -> Any:
        connection = self._make()
        try:
            connection.connect()
            # For CLIENT LIST. A user without the right to it can do without.
            with contextlib.suppress(exceptions.ResponseError):
                connection.send_command("CLIENT", "SETNAME", f"sse-monolith-{os.getpid()}")
                connection.read_response()
        except BaseException:
            connection.disconnect()
            raise
        self._connection = connection
        return connection

    def _make(self) -> Any:
        url = self._url
        options: dict[str, Any] = {
            "username": url.user or None,
            "password": url.password or None,
            "db": url.db,
            **self._common_options(self._seconds),
        }
        if url.path:
            return _UNIX(path=url.path, **options)
        host, port = self._find_primary() if url.service else url.addresses[0]
        options |= {"host": host, "port": port, "socket_keepalive": True}
        return _TCP(**options) if url.tls is None else _TLS(**options, **url.tls)

    @staticmethod
    def _common_options(seconds: float) -> dict[str, Any]:
        return {
            "socket_timeout": seconds,
            "socket_connect_timeout": CONNECT_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,  # its two commands are refused by older servers
        }

    def _find_primary(self) -> tuple[str, int]:
        url = self._url
        options: dict[str, Any] = self._common_options(CONNECT_SECONDS) | {
            "username": url.sentinel_user or None,
            "password": url.sentinel_password or None,
        }
        if url.tls is not None:
            options |= {"ssl": True, **url.tls}
        sentinels = _SENTINEL(list(url.addresses), sentinel_kwargs=options)
        try:
            host, port = sentinels.discover_master(url.service)
        finally:
            for one in sentinels.sentinels:
                one.close()
        return host, int(port)

    def _translated(self, exc: Exception, *, was_sent: bool) -> LogUnavailable:
        """Return the error for an error of redis-py or of the system."""
        code, reason = _code_of(exc), " ".join(str(exc).split())
        if isinstance(exc, exceptions.BusyLoadingError):
            code = "LOADING"
        elif isinstance(exc, exceptions.AuthenticationError):
            code = "NOAUTH" if "required" in reason else "WRONGPASS"
        elif "can't run this command" in reason or "can't access" in reason:
            code = "NOPERM"  # within a script, Redis 7.0 does not say so
        elif not isinstance(exc, exceptions.ResponseError):
            message = f"Redis at {self._url} gives no answer: {reason}"
            return BusUnreachable(message, was_sent=was_sent)
        remedy = _REMEDIES.get(code, "")
        message = f"Redis at {self._url} refuses: {reason}"
        return BusRefused(f"{message}; {remedy}" if remedy else message, may_pass=code in _PASSING)


def _code_of(exc: Exception) -> str:
    """Return the first word of Redis's answer, such as OOM; empty if there was none."""
    code = getattr(exc, "status_code", None)
    if not code and isinstance(exc, exceptions.ResponseError):
        code = str(exc).partition(" ")[0]
    return str(code or "")
