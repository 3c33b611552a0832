"""The command ``sse-monolith healthcheck``: ask a server whether it is healthy."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

import click

from app.config import InvalidSettings, Settings, load_settings
from gateway_shim.http_client.final_response import BadAnswer, FinalResponse

__all__ = ["healthcheck_command", "own_url", "problem"]

_PATH = "/healthz"
# Not ::1, which a container without IPv6 lacks. A server at "::" accepts IPv4, too.
_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}


def own_url(settings: Settings) -> str:
    """Return the URL at which a server with these settings answers a check from this machine.

    ADMIN_BIND is preferred if it is set, because clients cannot use up the connections of that
    address.
    """
    host, port = settings.admin_address or (settings.host, settings.port)
    host = _LOOPBACK_OF.get(host, host)
    scheme = "https" if settings.certfile else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{_PATH}"


def problem(url: str, seconds: float, *, verify: bool) -> str | None:
    """Ask a server whether it is healthy.

    Args:
        url: an http or https URL; if it has no path, ``/healthz`` is requested.
        seconds: time limit of connecting, and then of the head of the answer.
        verify: whether the certificate of an https server must be valid for the URL.

    Returns:
        The problem, in one line; None if the server answers 200.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "is not an http(s) URL"
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            if not verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=seconds, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
    except (ValueError, http.client.InvalidURL) as exc:  # UnicodeError is a ValueError
        return f"is not an http(s) URL: {exc}"
    connection.response_class = FinalResponse
    target = (parts.path or _PATH) + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", target, headers={"Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        return f"does not answer within {seconds:g} s"
    except UnicodeError as exc:
        return f"is not an http(s) URL: {exc}"
    except BadAnswer as exc:
        return f"sends an invalid answer: {exc}"
    except (OSError, http.client.HTTPException) as exc:
        return f"does not answer: {getattr(exc, 'strerror', None) or str(exc) or repr(exc)}"
    finally:
        connection.close()
    return None if status == 200 else f"answers {status}"


@click.command("healthcheck", short_help="Ask a server whether it is healthy.")
@click.option(
    "--url",
    envvar="HEALTHCHECK_URL",
    help="URL to request."
    " [env: HEALTHCHECK_URL; default: /healthz at ADMIN_BIND if set, else at HOST and PORT]",
)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Time limit for the connection, and then for the answer.",
)
def healthcheck_command(url: str | None, seconds: float) -> None:
    """Ask a server whether it is healthy. Exit with status 0 if it answers 200, else with 1.

    Without a URL, the command asks the server that "serve" starts with the same environment, and
    does not verify its certificate. To check a gateway in a separate process, give its URL.
    """
    try:
        target = url or own_url(load_settings())
    except InvalidSettings as exc:
        raise click.ClickException(str(exc)) from exc
    found = problem(target, seconds, verify=url is not None)
    if found is not None:
        raise click.ClickException(f"{target} {found}")
    click.echo(f"ok: {target}")
