"""The command that runs the standalone gateway, in place of the Node gateway."""

from __future__ import annotations

from gateway_shim.event_loop.patching import patch_arbiter

patch_arbiter()  # before the other imports, which the serving process inherits

# ruff: noqa: E402 - the patch comes first
import logging
import os
import re
import sys
from typing import Any

import click

from gateway_shim.errors import BadURL, InvalidConfiguration
from gateway_shim.http_client.certificates import VARIABLES, client_context
from gateway_shim.http_client.web_url import parse_web_url
from gateway_shim.log_lines import log_format
from gateway_shim.log_lines.log_format import TextFormatter
from gateway_shim.protocol.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.server.addresses import InvalidAddress, listening_host
from gateway_shim.server.gunicorn_application import GunicornApplication
from gateway_shim.server.options import KEEP_ALIVE_SECONDS, base_options
from gateway_shim.server.preflight import check_address, hosts
from gateway_shim.standalone.factory import make_front
from gateway_shim.streams.opening.pending_connects import (
    DEFAULT_PENDING_CONNECTS,
    MAX_PENDING_CONNECTS,
)

__all__ = ["gateway_command"]

logger = logging.getLogger(__name__)

_DEFAULT_PORT = 3000
_DEFAULT_HEARTBEAT_SECONDS = 15
_DRAIN_SECONDS = 5.0
_DEFAULT_STREAMS_PER_ADDRESS = 1000


@click.command()
@click.option(
    "--host",
    help="Address to listen on; :: means every address of the machine."
    " [env: HOST; default: localhost]",
)
@click.option("--port", help="TCP port. [env: PORT; default: 3000]")
@click.option("--callback-url", help="URL of the backend's callback. [env: CALLBACK_URL]")
@click.option(
    "--heartbeat-interval",
    help="Seconds between heartbeats of a stream. [env: HEARTBEAT_INTERVAL_SECONDS; default: 15]",
)
@click.option(
    "--keep-alive",
    help="Seconds for which a connection may be idle between two requests."
    f" [env: KEEP_ALIVE_SECONDS; default: {KEEP_ALIVE_SECONDS}]",
)
@click.option("--workers", hidden=True, help="Refused, unless it is 1.")
@click.option(
    "--dialect",
    type=click.Choice(["named", "envelope"]),
    default=lambda: os.environ.get("SSE_DIALECT") or "named",
    help="Format of named events. [env: SSE_DIALECT; default: named]",
)
def gateway_command(
    host: str | None,
    port: str | None,
    callback_url: str | None,
    heartbeat_interval: str | None,
    keep_alive: str | None,
    workers: str | None,
    dialect: str,
) -> None:
    """Run the SSE gateway as a separate process, on its own port.

    It follows the contract of the Node gateway and can replace it. It reads the same
    environment variables. An option overrides its environment variable.

    \b
    Settings without an option:
      SSE_MAX_CONNECTIONS_PER_ADDRESS  streams at a time from one client address
                                       [default: 1000]
      SSE_MAX_PENDING_CONNECTS         connect callbacks at a time that wait for
                                       the backend, at most 1500 [default: 500]
      TRUSTED_PROXIES                  peers whose X-Forwarded-For is trusted
                                       [default: 127.0.0.1,::1,unix]

    \b
    Certificate authorities, for an https CALLBACK_URL:
      NODE_EXTRA_CA_CERTS              a file; added to the public authorities
      REQUESTS_CA_BUNDLE               a file or folder; replaces the public ones
      SSL_CERT_FILE, SSL_CERT_DIR      a file, folders; replace the public ones
                                       if REQUESTS_CA_BUNDLE is not set
    """
    log_format.install(TextFormatter(), "INFO", sys.stdout)
    _check_bus(os.environ.get("SSE_BUS_URL"))
    _check_workers(workers or os.environ.get("WEB_CONCURRENCY"))
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
        ends_at_early_hangup=True,  # as the Node gateway does
    )
    per_address = _at_least_one(
        "SSE_MAX_CONNECTIONS_PER_ADDRESS", None, _DEFAULT_STREAMS_PER_ADDRESS
    )
    pending = _at_least_one("SSE_MAX_PENDING_CONNECTS", None, DEFAULT_PENDING_CONNECTS)
    proxies = _proxies(os.environ.get("TRUSTED_PROXIES") or DEFAULT_PROXIES)
    url = _callback_url(callback_url or os.environ.get("CALLBACK_URL"))

    def load() -> Any:
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

    GunicornApplication(load, options).run()


def _check_bus(url: str | None) -> None:
    """Refuse Redis: this gateway keeps no events, and gets them from its backend."""
    if url:
        logger.error(
            "SSE_BUS_URL is set, but the gateway on a port gets its events from one backend, not"
            " from Redis. Unset SSE_BUS_URL here, or serve the streams in the backend, with"
            ' "sse-monolith serve"'
        )
        raise SystemExit(1)


def _check_workers(text: str | None) -> None:
    """Refuse more than one worker: the backend sends each event to one address.

    Some platforms set WEB_CONCURRENCY by themselves. It is refused all the same, because whoever
    relies on it would get a gateway for one core.
    """
    if text and _integer(text, 1) != 1:
        logger.error(
            "the gateway on a port has one worker, but --workers or WEB_CONCURRENCY is %r: a second"
            " one would not know the streams of the first. Use 1, or serve the streams in the"
            ' backend, with "sse-monolith serve --workers"',
            text,
        )
        raise SystemExit(1)


def _port(text: str | None) -> int:
    """Parse PORT. Any text but an integer from 1 to 65535 ends the program (the contract)."""
    port = _integer(text, _DEFAULT_PORT)
    if port is None or not 1 <= port <= 65535:
        logger.error("PORT must be an integer from 1 to 65535, but it is %r", text)
        raise SystemExit(1)
    return port


def _host(text: str) -> str:
    """Check HOST. A text that is neither a name nor an address ends the program."""
    try:
        return listening_host(text)
    except InvalidAddress as exc:
        logger.error("HOST %s, but it is %r", exc, text)
        raise SystemExit(1) from exc


def _callback_url(text: str | None) -> str | None:
    """Check CALLBACK_URL. A URL that cannot be used ends the program; no URL logs a warning.

    The Node gateway reports that it is ready with any text, and then refuses every stream.
    """
    if not text:
        logger.warning("CALLBACK_URL is not set: every stream is refused with 503")
        return None
    try:
        url = parse_web_url(text)
    except BadURL:
        url = None
    if url is None or url.port == 0:
        logger.error("CALLBACK_URL must be a URL such as http://host:port/path, but it is %r", text)
        raise SystemExit(1)
    _check_certificates(https=url.scheme == "https")
    return text


def _check_certificates(*, https: bool) -> None:
    """Load the certificate authorities that the environment names.

    An error ends the program if callbacks go to https. Otherwise it logs a warning, because a
    redirect may still lead to https.
    """
    if https and os.environ.get("NODE_TLS_REJECT_UNAUTHORIZED") == "0":
        logger.warning(
            "NODE_TLS_REJECT_UNAUTHORIZED is ignored: the backend's certificate is always checked;"
            " name a file with its certificate authority in NODE_EXTRA_CA_CERTS"
        )
    if not any(map(os.environ.get, VARIABLES)):
        return
    try:
        client_context(os.environ)
    except InvalidConfiguration as exc:
        if https:
            logger.error("%s", exc)
            raise SystemExit(1) from exc
        logger.warning("%s", exc)


def _proxies(text: str) -> TrustedProxies:
    """Parse TRUSTED_PROXIES. An entry that cannot be used ends the program."""
    try:
        return TrustedProxies.parse(text)
    except InvalidConfiguration as exc:
        logger.error("TRUSTED_PROXIES: %s", exc)
        raise SystemExit(1) from exc


def _at_least_one(name: str, option: str | None, default: int) -> int:
    """Parse an integer of at least 1. Anything else is logged, and the default is used.

    Args:
        name: the name of the environment variable.
        option: the value of the command line option, which overrides the environment variable.
        default: the value if neither is set, or if the text cannot be used.
    """
    text = option or os.environ.get(name)
    number = _integer(text, default)
    if number is None or number < 1:
        logger.error(
            "%s must be an integer of at least 1, but it is %r; using %d", name, text, default
        )
        return default
    return number


def _integer(text: str | None, default: int) -> int | None:
    """Parse an integer as the Node gateway does: ``0x10``, ``16.0`` and ``1.6e1`` are 16.

    Returns:
        The integer; the default for an empty text; None for a text that is not an integer.
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
