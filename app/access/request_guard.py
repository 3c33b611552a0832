"""Keeps out requests that a browser sends for a page which should not reach this server."""

from __future__ import annotations

import logging

from app.access.host_names import HostNames
from app.access.request_site import is_cross_site
from app.access.requested_host import Header, with_requested_host
from app.config import Settings
from app.errors import Forbidden
from gateway_shim.protocol.http import ErrorCode, Refusal
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.config import Cors
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["CrossSite", "HostNotAllowed", "RequestGuard"]

logger = logging.getLogger(__name__)

_SHOWN_CHARACTERS = 200


class CrossSite(Forbidden):
    """A page of an origin that is not in CORS_ORIGINS has sent the request."""

    def __init__(self) -> None:
        super().__init__(
            "The page that sent this is of another origin. Add the page's origin to CORS_ORIGINS,"
            " or serve the page and this server under one origin"
        )


class HostNotAllowed(Forbidden):
    """The request's Host is not a name of this server."""

    def __init__(self) -> None:
        super().__init__(
            "This server is not known under the host name of this request. Add the name to"
            " ALLOWED_HOSTS, or use localhost"
        )


class RequestGuard:
    """Checks where a request comes from and which host it names; counts what it refuses.

    Args:
        settings: ``CORS_ORIGINS`` and ``ALLOWED_HOSTS``.
        refusals: the process's counters.
    """

    def __init__(self, settings: Settings, refusals: RefusalCounts) -> None:
        self._origins = Cors.parse(settings.cors_origins).origins
        self._hosts = HostNames(settings.allowed_hosts)
        self._refusals = refusals

    def check_host(self, header: Header, listener: str | None, client: str) -> None:
        """Let a request pass whose host may be asked for.

        Args:
            header: gives the request's headers; ``host`` is the one that is asked for, see
                :func:`~app.access.requested_host.with_requested_host`.
            listener: the IP address that the server listens at; None: a Unix socket.
            client: the client's address, for the log.

        Raises:
            HostNotAllowed: the host is another one.
        """
        host = header("host")
        if not self._hosts.permit(host, listener or "", is_unix=listener is None):
            self._refusals.add(RefusalReason.HOST_NOT_ALLOWED)
            extra = {"host": _short(host), "address": client}
            logger.warning("request for another host refused; see ALLOWED_HOSTS", extra=extra)
            raise HostNotAllowed

    def check_site(self, header: Header, client: str) -> None:
        """Let a stream or a write pass that no page of another origin has sent.

        Raises:
            CrossSite: one has, and the origin is not listed.
        """
        if is_cross_site(header, self._origins):
            self._refusals.add(RefusalReason.CROSS_SITE)
            extra = {
                "origin": _short(header("origin")),
                "site": _short(header("sec-fetch-site")),
                "host": _short(header("host")),
                "address": client,
            }
            logger.warning("cross-site request refused; see CORS_ORIGINS", extra=extra)
            raise CrossSite

    def refuse_stream(self, request: StreamRequest) -> Refusal | None:
        """Return what a browser gets instead of a stream; None if the stream may be asked for."""

        def header(name: str) -> str | None:
            value = request.headers.get(name)
            return value if isinstance(value, str) else None

        asked = with_requested_host(request.url, header)
        try:
            self.check_host(asked, request.listener, request.address)
            self.check_site(asked, request.address)
        except HostNotAllowed as refused:
            return Refusal(refused.status, ErrorCode.HOST_NOT_ALLOWED, refused.message)
        except CrossSite as refused:
            return Refusal(refused.status, ErrorCode.CROSS_SITE, refused.message)
        return None


def _short(value: str | None) -> str | None:
    return value if value is None else value[:_SHOWN_CHARACTERS]
