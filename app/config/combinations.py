"""Checks settings against each other: combinations that cannot work, and those that need a hint."""

from __future__ import annotations

from importlib.util import find_spec

from app.access.exposure import exposure_problem
from app.access.listening_addresses import is_loopback, is_taken, resolve_host
from app.config.settings import Settings

__all__ = ["combination_problem", "safety_hints", "workers_problem"]


def combination_problem(settings: Settings) -> str | None:
    """Return why a server must not start with settings that are valid one by one.

    Returns:
        What is wrong and what to do; None if the settings fit together.
    """
    admin = settings.admin_address
    if admin is not None and admin[1] == settings.port and is_taken(admin[0], settings.host):
        return (
            f"ADMIN_BIND: {settings.admin_bind} overlaps with HOST and PORT ({settings.host}, port"
            f" {settings.port}), where the streams are served; choose another port"
        )
    problem = _bus_problem(settings)
    if problem is not None:
        return problem
    problem = workers_problem(settings.web_concurrency, "WEB_CONCURRENCY is", settings)
    if problem is not None:
        return problem
    secret = settings.sse_callback_secret
    if settings.is_production:
        if secret is None or not secret.get_secret_value().strip():
            return (
                "FLASK_ENV=production needs SSE_CALLBACK_SECRET: without it, everyone could send"
                " callbacks"
            )
        return None
    hosts = {"HOST": settings.host, "ADMIN_BIND": admin[0] if admin is not None else ""}
    for name, host in hosts.items():
        address = _address(host)
        if address is not None:
            problem = exposure_problem(f"{name} is {host}", address, settings.open_areas)
            if problem is not None:
                return problem
    return None


def workers_problem(workers: int, source: str, settings: Settings) -> str | None:
    """Return why a server must not start with several workers.

    Args:
        workers: the number of workers.
        source: the setting or option that has the number, for the message.
        settings: the backend's settings.
    """
    if workers <= 1:  # gunicorn's option may be 0, which is refused for another reason
        return None
    if settings.sse_gateway_url is not None:
        return (
            f"{source} {workers}, but SSE_GATEWAY_URL is set: the gateway has the streams, and"
            " several workers would not know of each other's streams and tasks; use one worker, or"
            " unset SSE_GATEWAY_URL"
        )
    if not settings.replays:
        return (
            f"{source} {workers}, but SSE_REPLAY is off: several workers tell each other everything"
            " through the event log; use one worker, or set SSE_REPLAY=on"
        )
    return None


def _bus_problem(settings: Settings) -> str | None:
    """Return why a server must not start with Redis."""
    if settings.sse_bus_url is None:
        return None
    if settings.sse_gateway_url is not None:
        return (
            "SSE_BUS_URL is set, but SSE_GATEWAY_URL is set, too: that gateway has the streams, and"
            " it does not get the events of other servers; unset one of the two"
        )
    if not settings.replays:
        return (
            "SSE_BUS_URL is set, but SSE_REPLAY is off: several servers tell each other everything"
            " through the event log; set SSE_REPLAY=on, or unset SSE_BUS_URL"
        )
    if find_spec("redis") is None:
        return (
            "SSE_BUS_URL is set, but the package redis is not installed; run:"
            " pip install 'sse-monolith[redis]'"
        )
    return None


def safety_hints(settings: Settings) -> list[str]:
    """Return hints for the operator of a server with these settings, one sentence or more each."""
    if not settings.is_production:
        return []
    hints = []
    if settings.admin_address is None:
        closed = sorted({"tasks", "metrics"} - set(settings.open_areas), reverse=True)
        unserved = f" The {' and the '.join(closed)} cannot be reached." if closed else ""
        hints.append(
            "ADMIN_BIND is unset."
            f"{unserved} Set ADMIN_BIND=127.0.0.1:5001 for the tasks API, the metrics and health"
            " checks: that address still has room when the public address is full"
        )
    address = _address(settings.host)
    if not settings.allowed_hosts and address is not None and is_loopback(address):
        hints.append(
            f"HOST is {settings.host} and ALLOWED_HOSTS is unset: requests for any other host than"
            " localhost get 403. Behind a proxy, set ALLOWED_HOSTS to the public name of the server"
        )
    return hints


def _address(host: str) -> str | None:
    """Return a host's address; None if it has none, which makes the start fail with an error."""
    try:
        return resolve_host(host) if host else ""
    except (OSError, UnicodeError):
        return None
