"""Refuses requests that a browser sends for a page that must not reach this server."""

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

__all__ = ["CrossSite", "HostNotAllowed", "NotOwnPage", "RequestGuard"]

logger = logging.getLogger(__name__)

_SHOWN_CHARACTERS = 200


class CrossSite(Forbidden):
    """The page that sent the request has another origin, which is not in CORS_ORIGINS."""

    def __init__(self) -> None:
        super().__init__(
            "The page that sent this request has another origin. Add that origin to CORS_ORIGINS,"
            " or serve the page and this server under one origin"
        )


class NotOwnPage(Forbidden):
    """The page that sent the request has another origin, and only own pages may send it."""

    def __init__(self) -> None:
        super().__init__(
            "Only a page of this server may send this request, whatever CORS_ORIGINS allows. Open"
            " the console at the address of this server"
        )


class HostNotAllowed(Forbidden):
    """The request's Host is not a permitted name of this server."""

    def __init__(self) -> None:
        super().__init__(
            "The host name of this request is not a name of this server. Add the name to"
            " ALLOWED_HOSTS, or use localhost"
        )


class RequestGuard:
    """Checks the origin and the host of requests, and counts the refused ones.

    Args:
        settings: have ``CORS_ORIGINS`` and ``ALLOWED_HOSTS``.
        refusals: counts the refused requests of the process.
    """

    def __init__(self, settings: Settings, refusals: RefusalCounts) -> None:
        self._origins = Cors.parse(settings.cors_origins).origins
        self._hosts = HostNames(settings.allowed_hosts)
        self._refusals = refusals

    def check_host(self, header: Header, listener: str | None, client: str) -> None:
        """Check that the host of a request is a permitted name of this server.

        Args:
            header: returns the request's headers. ``host`` must be the requested host, see
                :func:`~app.access.requested_host.with_requested_host`.
            listener: the IP address of the listening socket; None: a Unix socket.
            client: the client's address, for the log.

        Raises:
            HostNotAllowed: the host is not permitted.
        """
        host = header("host")
        if not self._hosts.permit(host, listener or "", is_unix=listener is None):
            self._refusals.add(RefusalReason.HOST_NOT_ALLOWED)
            extra = {"host": _short(host), "address": client}
            logger.warning("request for another host refused; see ALLOWED_HOSTS", extra=extra)
            raise HostNotAllowed

    def check_site(self, header: Header, client: str) -> None:
        """Check that the sender of a stream request or a write is not a page of another origin.

        Args:
            header: returns the request's headers, as for :meth:`check_host`.
            client: the client's address, for the log.

        Raises:
            CrossSite: the sender is a page of another origin, which is not listed.
        """
        if is_cross_site(header, self._origins):
            self._note_cross_site("cross-site request refused; see CORS_ORIGINS", header, client)
            raise CrossSite

    def check_own_page(self, header: Header, client: str) -> None:
        """Check that the sender is not a page of another origin, not even of a listed one.

        Args:
            header: returns the request's headers, as for :meth:`check_host`.
            client: the client's address, for the log.

        Raises:
            NotOwnPage: the sender is a page of another origin.
        """
        if is_cross_site(header, ()):
            self._note_cross_site("cross-site request for the console refused", header, client)
            raise NotOwnPage

    def _note_cross_site(self, message: str, header: Header, client: str) -> None:
        self._refusals.add(RefusalReason.CROSS_SITE)
        extra = {
            "origin": _short(header("origin")),
            "site": _short(header("sec-fetch-site")),
            "host": _short(header("host")),
            "address": client,
        }
        logger.warning(message, extra=extra)

    def refuse_stream(self, request: StreamRequest) -> Refusal | None:
        """Return the refusal of a stream request; None if the checks pass."""

        def header(name: str) -> str | None:
            value = request.headers.get(name)
            return value if isinstance(value, str) else None

        headers = with_requested_host(request.url, header)
        try:
            self.check_host(headers, request.listener, request.address)
            self.check_site(headers, request.address)
        except HostNotAllowed as refused:
            return Refusal(refused.status, ErrorCode.HOST_NOT_ALLOWED, refused.message)
        except CrossSite as refused:
            return Refusal(refused.status, ErrorCode.CROSS_SITE, refused.message)
        return None


def _short(value: str | None) -> str | None:
    return value if value is None else value[:_SHOWN_CHARACTERS]
