"""Requests through :mod:`requests`, for clients that obey the environment: :class:`HttpSession`."""

from __future__ import annotations

from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from gateway_shim.http_client.final_response import FinalResponse
from gateway_shim.http_client.reply import HttpAnswer
from gateway_shim.http_client.request import HttpRequest

__all__ = ["HttpSession"]

_HOSTS = 4
"""Servers whose connections are kept: the one in the settings, and where it redirects to."""


class HttpSession:
    """Sends requests as the environment says: its proxies, ``.netrc`` and certificates.

    It reads answers with ``FinalResponse``, and takes a redirect for an answer.

    Args:
        connections: how many to one server are kept.
    """

    def __init__(self, *, connections: int) -> None:
        self._session = _Session()
        adapter = _Adapter(pool_connections=_HOSTS, pool_maxsize=connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        """Close the kept connections; the next request opens a new one."""
        self._session.close()

    def close_idle(self) -> int:
        """Close nothing: requests does not know since when a connection is kept."""
        return 0

    def request(self, request: HttpRequest) -> HttpAnswer:
        """Send a request, and read the head of its answer; see :meth:`HttpPool.request`.

        Raises:
            OSError: as sockets do; requests' and urllib3's errors, likewise.
        """
        headers, url = request.headers, request.url
        if url.authorization is not None:
            headers = {"Authorization": url.authorization, **headers}
        response = self._session.request(
            request.method,
            str(url),
            headers=headers,
            data=request.body,
            timeout=(request.connect_seconds, request.seconds),
            stream=True,
            allow_redirects=False,
        )
        return HttpAnswer(response.raw, response.close)


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Find no target.

        Even where it follows no redirect, requests would parse the target, which raises if it is
        not a URL, and read the redirect's body, however long it is.
        """
        return None


class _Connection(HTTPConnection):
    response_class = FinalResponse


class _TLSConnection(HTTPSConnection):
    response_class = FinalResponse


class _Kept:
    """Connections that are kept. One more is closed after its use, which is no warning here."""

    pool: Any

    def _put_conn(self, conn: Any) -> None:
        if self.pool is None or not self.pool.full():
            super()._put_conn(conn)  # type: ignore[misc]
        elif conn is not None:
            conn.close()


class _Pool(_Kept, urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(_Kept, urllib3.HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


class _Adapter(HTTPAdapter):
    """Requests' own adapter, with connections of ours, to a proxy too."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
