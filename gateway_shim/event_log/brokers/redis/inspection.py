"""The inspection of a Redis server: settings that would lose events, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from gateway_shim.errors import BusRefused, LogUnavailable
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.rights import missing_rights
from gateway_shim.event_log.brokers.redis.url import RedisURL

__all__ = ["Finding", "Severity", "findings_of", "inspect"]

_SECONDS = 5.0
_OLDEST_VERSION = (6, 2)

Facts = Mapping[str, str]


class Severity(Enum):
    """The consequence of a finding."""

    ERROR = "the server cannot use this Redis"
    AWAY = "the server starts, and waits until Redis can be used"
    WARNING = "events can be lost; all browsers are then told to load their state again"
    NOTE = "could not be checked"


class Finding(NamedTuple):
    """One thing that is not as it should be.

    Args:
        severity: the consequence.
        what: what was found.
        remedy: what to do.
    """

    severity: Severity
    what: str
    remedy: str


def inspect(url: RedisURL, prefix: str) -> list[Finding]:
    """Look at a Redis server, and try the commands of the engine on keys of their own.

    Args:
        url: the server.
        prefix: what the keys begin with.

    Returns:
        What was found, errors first; empty if all is well.
    """
    client = RedisClient(url, _SECONDS)
    try:
        client.call("PING")
        found = findings_of(_read_info(client), _read_settings(client))
        if not any(finding.severity in (Severity.ERROR, Severity.AWAY) for finding in found):
            found = _of_rights(missing_rights(client, Keys(prefix)), prefix) + found
        return found
    except BusRefused as exc:
        severity = Severity.AWAY if exc.may_pass else Severity.ERROR
        return [Finding(severity, str(exc), "correct the URL, or the user's rights")]
    except LogUnavailable as exc:
        return [Finding(Severity.AWAY, str(exc), "start Redis, or correct the URL")]
    finally:
        client.close()


def findings_of(info: Facts | None, settings: Facts | None) -> list[Finding]:
    """Return what is wrong with a server. Errors come first.

    Args:
        info: the fields of INFO; None: this user may not read them.
        settings: the settings of CONFIG GET; None: this user may not read them.
    """
    found: list[Finding] = []
    if info is None:
        found.append(_unreadable("INFO", "info"))
    else:
        found += _of_info(info)
    if settings is None:
        found.append(_unreadable("CONFIG GET", "config|get"))
    else:
        found += _of_settings(settings)
    return sorted(found, key=lambda finding: list(Severity).index(finding.severity))


def _unreadable(command: str, right: str) -> Finding:
    remedy = f"give the user the right +{right}, or look at the settings of Redis yourself"
    return Finding(Severity.NOTE, f"this user may not run {command}", remedy)


def _of_rights(missing: list[str], prefix: str) -> list[Finding]:
    remedy = f"give the user the rights that docs/operations.md lists, and the keys ~{{{prefix}}}:*"
    return [Finding(Severity.ERROR, what, remedy) for what in missing]


def _of_info(info: Facts) -> list[Finding]:
    found: list[Finding] = []

    def error(what: str, remedy: str, severity: Severity = Severity.ERROR) -> None:
        found.append(Finding(severity, what, remedy))

    version = info.get("redis_version", "0")
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if tuple(numbers) < _OLDEST_VERSION:
        error(f"Redis {version} is too old", "use Redis 6.2 or later")
    if info.get("role", "master") != "master":
        error("this is a replica", "name the primary, or use redis+sentinel://")
    if info.get("loading") == "1":
        error("Redis still reads its files", "wait, and check again", Severity.AWAY)
    if info.get("cluster_enabled") == "1":
        error(
            "this is a node of a Redis Cluster, whose failovers are not followed",
            "use a Redis with Sentinel, or a single one",
        )
    limit, used = int(info.get("maxmemory", "0")), int(info.get("used_memory", "0"))
    if limit and used >= limit:
        what = f"all of maxmemory is used ({used} of {limit} bytes)"
        error(what, "raise maxmemory", Severity.AWAY)
    if info.get("aof_enabled") == "1" and info.get("aof_last_write_status", "ok") != "ok":
        remedy = "free space on its disk; see its log"
        error("Redis cannot write its append-only file", remedy, Severity.AWAY)
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        found.append(
            Finding(
                Severity.WARNING,
                "the last snapshot has failed; Redis refuses events as long as"
                " stop-writes-on-bgsave-error is yes",
                "free memory or disk space (overcommit_memory=1); see the log of Redis",
            )
        )
    return found


def _of_settings(settings: Facts) -> list[Finding]:
    found: list[Finding] = []

    def warning(what: str, remedy: str) -> None:
        found.append(Finding(Severity.WARNING, what, remedy))

    if settings.get("appendonly", "yes") != "yes":
        warning(
            "appendonly is off: a restart of Redis loses the events since its last snapshot",
            "set appendonly yes (and appendfsync everysec)",
        )
    elif settings.get("appendfsync") == "no":
        warning("appendfsync is no: a crash of the machine loses events", "set it to everysec")
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        warning(
            f"maxmemory-policy is {policy}: Redis removes events when its memory is full",
            "set maxmemory-policy noeviction, or use a Redis of its own",
        )
    return found


def _read_info(client: RedisClient) -> Facts | None:
    answer = _allowed(client, "INFO")
    if answer is None:
        return None
    lines = answer.decode("utf-8", "replace").splitlines()
    return dict(line.partition(":")[::2] for line in lines if ":" in line)


def _read_settings(client: RedisClient) -> Facts | None:
    found: dict[str, str] = {}
    for name in ("appendonly", "appendfsync", "maxmemory-policy"):
        answer = _allowed(client, "CONFIG", "GET", name)
        if answer is None:
            return None
        texts = [item.decode("utf-8", "replace") for item in answer]
        found.update(zip(texts[::2], texts[1::2], strict=True))
    return found


def _allowed(client: RedisClient, *command: str) -> Any:
    """Return the answer to a command; None if this user may not run it or it is disabled."""
    try:
        return client.call(*command)
    except BusRefused as exc:
        if "no permissions" in str(exc) or "unknown command" in str(exc):
            return None
        raise
