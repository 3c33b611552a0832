"""The :mod:`requests` session below :mod:`gateway_shim.http_client`: our answers, our redirects."""

from __future__ import annotations

from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from gateway_shim.http_answer import FinalResponse

__all__ = ["HttpSession"]

_HOSTS = 4
"""Servers whose connections are kept: the one in the settings, and where it redirects to."""


class HttpSession(requests.Session):
    """A session that reads answers with ``FinalResponse`` and takes a redirect for an answer.

    Args:
        connections: how many to one server are kept.
        environment: whether proxies, ``.netrc`` and certificates of the environment count.
    """

    def __init__(self, *, connections: int, environment: bool) -> None:
        super().__init__()
        self.trust_env = environment
        adapter = _Adapter(pool_connections=_HOSTS, pool_maxsize=connections)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Find no target.

        Even where it follows no redirect, requests would parse the target, which raises if it is
        not a URL, and read the redirect's body, however long it is.
        """
        return None

    def is_elsewhere(self, url: str, target: str) -> bool:
        """Return whether credentials for a URL must not be sent to another one."""
        return bool(self.should_strip_auth(url, target))  # type: ignore[no-untyped-call]


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
