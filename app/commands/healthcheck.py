"""``sse-monolith healthcheck``: whether a server answers, as an exit status."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import urlsplit

import click

from app.config import InvalidSettings, Settings, load_settings
from gateway_shim.http_client.final_response import BadAnswer, FinalResponse

__all__ = ["healthcheck_command", "own_url", "problem"]

_PATH = "/healthz"
# Not ::1, which a container without IPv6 does not have: a server at "::" takes IPv4, too.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}


def own_url(settings: Settings) -> str:
    """Return where a server with these settings answers health checks from this machine.

    At ADMIN_BIND where it is set: clients cannot fill that address.
    """
    host, port = settings.admin_address or (settings.host, settings.port)
    host = _EVERYWHERE.get(host, host)
    scheme = "https" if settings.certfile else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{_PATH}"


def problem(url: str, seconds: float, *, verify: bool) -> str | None:
    """Ask a server how it is.

    Args:
        url: http or https; without a path ``/healthz`` is meant.
        seconds: how long connecting may take, and then the head of the answer.
        verify: whether an https server must show a certificate that is valid for the URL.

    Returns:
        What is wrong, in one line; None if it answers 200.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "is no http(s) URL"
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
        return f"is no http(s) URL: {exc}"
    connection.response_class = FinalResponse
    target = (parts.path or _PATH) + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", target, headers={"Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        return f"does not answer within {seconds:g} s"
    except UnicodeError as exc:
        return f"is no http(s) URL: {exc}"
    except BadAnswer as exc:
        return f"gives no valid answer: {exc}"
    except (OSError, http.client.HTTPException) as exc:
        return f"does not answer: {getattr(exc, 'strerror', None) or str(exc) or repr(exc)}"
    finally:
        connection.close()
    return None if status == 200 else f"answers {status}"


@click.command("healthcheck")
@click.option(
    "--url",
    envvar="HEALTHCHECK_URL",
    help="What to ask."
    " [env: HEALTHCHECK_URL; default: this ADMIN_BIND, else HOST and PORT, /healthz]",
)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the connection, and for the answer.",
)
def healthcheck_command(url: str | None, seconds: float) -> None:
    """Ask a server how it is; exit status 0 if it answers 200, else 1.

    Without a URL the server is the one that "serve" would be with this environment. Its
    certificate, if it has one, need not be valid for the loopback address. For a gateway on a
    port, give the URL.
    """
    try:
        asked = url or own_url(load_settings())
    except InvalidSettings as exc:
        raise click.ClickException(str(exc)) from exc
    wrong = problem(asked, seconds, verify=url is not None)
    if wrong is not None:
        raise click.ClickException(f"{asked} {wrong}")
    click.echo(f"ok: {asked}")
