"""Sends requests with the settings of the environment, by :mod:`requests`: :class:`HttpSession`."""

from __future__ import annotations

from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from gateway_shim.http_client.answer import HttpAnswer
from gateway_shim.http_client.final_response import FinalResponse
from gateway_shim.http_client.request import HttpRequest

__all__ = ["HttpSession"]

_HOSTS = 4
"""The number of servers whose connections are kept: the configured one, and redirect targets."""


class HttpSession:
    """Sends requests with the proxies, the ``.netrc`` and the certificates of the environment.

    It reads answers with ``FinalResponse``, and returns a redirect like any other answer.

    Args:
        connections: the number of connections to one server that are kept.
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
        """Do nothing: requests does not record since when a connection is kept. Return 0."""
        return 0

    def request(self, request: HttpRequest) -> HttpAnswer:
        """Send a request, and read the head of its answer; see :meth:`HttpPool.request`.

        Raises:
            OSError: an error of the socket. Errors of requests and urllib3 are raised as well.
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
        """Return None for every answer.

        Even if it follows no redirects, requests would parse the target of a redirect, and read
        the whole body. Parsing raises an error if the target is not a URL, and the body can be of
        any length.
        """
        return None


class _SessionConnection(HTTPConnection):
    response_class = FinalResponse


class _SessionTLSConnection(HTTPSConnection):
    response_class = FinalResponse


class _QuietPool:
    """Closes a connection that the full pool cannot keep, without urllib3's warning."""

    pool: Any

    def _put_conn(self, conn: Any) -> None:
        if self.pool is None or not self.pool.full():
            super()._put_conn(conn)  # type: ignore[misc]  # urllib3 has it
        elif conn is not None:
            conn.close()


class _Pool(_QuietPool, urllib3.HTTPConnectionPool):
    ConnectionCls = _SessionConnection


class _TLSPool(_QuietPool, urllib3.HTTPSConnectionPool):
    ConnectionCls = _SessionTLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


class _Adapter(HTTPAdapter):
    """The adapter of requests with our connections, both to servers and to proxies."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
