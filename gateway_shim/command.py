"""The command that runs the gateway on a port of its own, where Node's would run."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import Any

import click

from gateway_shim import log_format
from gateway_shim.addresses import InvalidAddress, is_http_url, listening_host
from gateway_shim.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.log_format import TextFormatter
from gateway_shim.pending_connects import DEFAULT_PENDING_CONNECTS, MAX_PENDING_CONNECTS
from gateway_shim.server import (
    KEEP_ALIVE_SECONDS,
    GunicornServer,
    base_options,
    check_address,
    hosts,
)

__all__ = ["gateway_command"]

logger = logging.getLogger(__name__)

_DEFAULT_PORT = 3000
_DEFAULT_HEARTBEAT_SECONDS = 15
_DRAIN_SECONDS = 5.0
_DEFAULT_STREAMS_PER_ADDRESS = 1000


@click.command()
@click.option("--host", help="Address to listen on. [env: HOST; default: localhost]")
@click.option("--port", help="TCP port. [env: PORT; default: 3000]")
@click.option("--callback-url", help="Where connects and disconnects go. [env: CALLBACK_URL]")
@click.option(
    "--heartbeat-interval",
    help="Seconds between comments. [env: HEARTBEAT_INTERVAL_SECONDS; default: 15]",
)
@click.option(
    "--keep-alive",
    help="Seconds that a connection may be idle between two requests."
    f" [env: KEEP_ALIVE_SECONDS; default: {KEEP_ALIVE_SECONDS}]",
)
@click.option(
    "--dialect",
    type=click.Choice(["named", "envelope"]),
    default=lambda: os.environ.get("SSE_DIALECT") or "named",
    help="How named events are written. [env: SSE_DIALECT; default: named]",
)
def gateway_command(
    host: str | None,
    port: str | None,
    callback_url: str | None,
    heartbeat_interval: str | None,
    keep_alive: str | None,
    dialect: str,
) -> None:
    """Run the SSE gateway on a port of its own.

    It speaks the contract of the Node gateway, so it can be started wherever that one is:
    by its environment alone, or with these options, which win. The environment alone has
    SSE_MAX_CONNECTIONS_PER_ADDRESS, the streams at a time from one client address (1000),
    SSE_MAX_PENDING_CONNECTS, the callbacks of connects that wait for their answer at a time (500,
    at most 1500), and TRUSTED_PROXIES, the peers whose X-Forwarded-For is believed
    (127.0.0.1,::1,unix).
    """
    log_format.install(TextFormatter(), "INFO", sys.stdout)
    number = _port(port or os.environ.get("PORT"))
    host = _host(host or os.environ.get("HOST") or "localhost")
    try:
        check_address(host, number)
    except InvalidConfiguration as exc:
        raise click.ClickException(str(exc)) from exc
    heartbeat = _at_least_one(
        "HEARTBEAT_INTERVAL_SECONDS", heartbeat_interval, _DEFAULT_HEARTBEAT_SECONDS
    )
    options = base_options(
        host,
        number,
        drain_seconds=_DRAIN_SECONDS,
        keep_alive_seconds=_at_least_one("KEEP_ALIVE_SECONDS", keep_alive, KEEP_ALIVE_SECONDS),
    )
    per_address = _at_least_one(
        "SSE_MAX_CONNECTIONS_PER_ADDRESS", None, _DEFAULT_STREAMS_PER_ADDRESS
    )
    pending = _at_least_one("SSE_MAX_PENDING_CONNECTS", None, DEFAULT_PENDING_CONNECTS)
    proxies = _proxies(os.environ.get("TRUSTED_PROXIES") or DEFAULT_PROXIES)
    url = _callback_url(callback_url or os.environ.get("CALLBACK_URL"))

    def load() -> Any:
        # In the worker, after gevent has patched it: requests must not be imported before.
        from gateway_shim.standalone import make_front

        return make_front(
            url,
            heartbeat,
            dialect,
            _DRAIN_SECONDS,
            listeners=len(hosts(host)),
            max_connections_per_address=per_address,
            max_pending_connects=min(pending, MAX_PENDING_CONNECTS),
            proxies=proxies,
        )

    GunicornServer(load, options).run()


def _port(text: str | None) -> int:
    """Read PORT; anything but an integer in 1…65535 ends the program, as the contract says."""
    port = _integer(text, _DEFAULT_PORT)
    if port is None or not 1 <= port <= 65535:
        logger.error("PORT must be an integer from 1 to 65535, but it is %r", text)
        raise SystemExit(1)
    return port


def _host(text: str) -> str:
    """Read HOST; what is neither a name nor an address ends the program."""
    try:
        return listening_host(text)
    except InvalidAddress as exc:
        logger.error("HOST %s, but it is %r", exc, text)
        raise SystemExit(1) from exc


def _callback_url(text: str | None) -> str | None:
    """Read CALLBACK_URL; what no request can be sent to ends the program, nothing is a warning.

    The Node gateway says that it is ready with any text, and then refuses every stream.
    """
    if not text:
        logger.warning("CALLBACK_URL is not set: every stream will be refused with 503")
        return None
    url = text.strip()  # as the Node gateway's URL parser does
    if not is_http_url(url):
        logger.error("CALLBACK_URL must be a URL such as http://host:port/path, but it is %r", text)
        raise SystemExit(1)
    return url


def _proxies(text: str) -> TrustedProxies:
    """Read TRUSTED_PROXIES; an entry that cannot be used ends the program."""
    try:
        return TrustedProxies.parse(text)
    except InvalidConfiguration as exc:
        logger.error("TRUSTED_PROXIES: %s", exc)
        raise SystemExit(1) from exc


def _at_least_one(name: str, option: str | None, default: int) -> int:
    """Read an integer from 1 on; anything else: logged, the default.

    Args:
        name: of the environment variable.
        option: the command line's value, which wins.
        default: what holds then.
    """
    text = option or os.environ.get(name)
    number = _integer(text, default)
    if number is None or number < 1:
        logger.error("%s must be an integer from 1 on, but it is %r: using %d", name, text, default)
        return default
    return number


def _integer(text: str | None, default: int) -> int | None:
    """Read an integer as the Node gateway does, where ``0x10``, ``16.0`` and ``1.6e1`` are 16.

    Returns:
        The default for an empty text; None for what is no integer.
    """
    if not text:
        return default
    text = text.strip()
    if re.fullmatch("0x[0-9a-f]+|0o[0-7]+|0b[01]+", text, re.IGNORECASE):
        return int(text, 0)
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?", text, re.ASCII | re.IGNORECASE):
        return None
    number = float(text)
    return int(number) if number.is_integer() else None
