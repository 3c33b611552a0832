"""The HTTP client of everything here that asks another server: no cookies, bounded, plain errors.

It reads URLs as :mod:`gateway_shim.http_client.web_url` and answers as
:mod:`gateway_shim.http_client.final_response` say. It needs no event loop: the terminal client
uses it too. Where gevent runs, its callers put a ``gevent.Timeout`` around a whole exchange, name
lookup and body included.

The errors are in :mod:`gateway_shim.errors`, below ``RequestFailed``.
"""

from __future__ import annotations

import functools
import http.client
import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

import requests
import urllib3

from gateway_shim.errors import BadRedirect, BadURL, InvalidConfiguration, RequestFailed
from gateway_shim.http_client.certificates import default_context
from gateway_shim.http_client.failure import request_failure
from gateway_shim.http_client.pool import HttpPool
from gateway_shim.http_client.reply import HttpAnswer
from gateway_shim.http_client.request import HttpRequest
from gateway_shim.http_client.session import HttpSession
from gateway_shim.http_client.web_url import parse_web_url

__all__ = ["MAX_REDIRECTS", "HttpAnswer", "HttpClient"]

MAX_REDIRECTS = 20
"""Redirects that are followed for one request; browsers and Node's fetch follow as many."""

_parse = functools.lru_cache(maxsize=64)(parse_web_url)


class HttpClient:
    """Makes requests on kept connections; safe to use from many greenlets.

    Args:
        connections: how many to one server are kept for the next requests.
        redirects: how many redirects to follow for one request; with 0 a redirect is an answer
            like any other.
        environment: whether proxies, ``.netrc`` and certificates of the environment count. Without
            it, only the variables of :mod:`gateway_shim.http_client.certificates` do.
        context: returns the TLS settings, at the first https request; not with ``environment``.
        unread: gets the answers whose body nobody reads, such as a redirect's, and closes them;
            it must not wait for their server.
    """

    def __init__(
        self,
        *,
        connections: int = 1,
        redirects: int = 0,
        environment: bool = False,
        context: Callable[[], ssl.SSLContext] = default_context,
        unread: Callable[[HttpAnswer], None] | None = None,
    ) -> None:
        self._redirects = redirects
        self._transport: _Transport
        if environment:
            self._transport = HttpSession(connections=connections)
        else:
            self._transport = HttpPool(connections, context)
        self._unread = unread or HttpAnswer.close_unread

    def __enter__(self) -> Self:
        """Use as a context manager: closed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the kept connections; the next request opens a new one."""
        self._transport.close()

    def close_idle(self) -> int:
        """Close the connections that have been kept for too long; return how many are left."""
        return self._transport.close_idle()

    def request(
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        connect_seconds: float | None = None,
        headers: Mapping[str, str | bytes] | None = None,
        body: bytes | None = None,
    ) -> HttpAnswer:
        """Make a request, and follow its redirects.

        Args:
            method: GET or POST.
            url: where to; a user name and password in it are sent as Basic authorization.
            seconds: time limit of the answer's whole head, and then of each read of its body.
                A redirect is a request of its own.
            connect_seconds: time limit of connecting to one address; ``seconds`` by default.
            headers: besides the usual ones.
            body: sent as it is.

        Returns:
            The final answer, whatever its status. Use it as a context manager.

        Raises:
            BadURL: the URL cannot be asked.
            BadRedirect: a redirect leads nowhere, or there were too many.
            BadCertificate: the server's certificate is not valid for the URL.
            AnswerTimeout: the answer's head was not complete in time.
            RequestFailed: the server cannot be reached, or what it says is not HTTP.
        """
        request = HttpRequest(
            method,
            _parse(url),
            headers or {},
            body,
            connect_seconds=seconds if connect_seconds is None else connect_seconds,
            seconds=seconds,
        )
        redirect: HttpAnswer | None = None
        for _ in range(self._redirects + 1):
            try:
                answer = self._send(request)
            finally:
                # Not before: a server that closes its connection behind the redirect, without a
                # word, would get the next request on it.
                if redirect is not None:
                    self._unread(redirect)
            location = answer.location if self._redirects else None
            if location is None:
                return answer
            redirect = answer
            try:
                request = request.redirected(answer.status, location)
            except BadRedirect:
                self._unread(redirect)
                raise
        if redirect is not None:
            self._unread(redirect)
        raise BadRedirect(f"more than {self._redirects} redirects")

    def _send(self, request: HttpRequest) -> HttpAnswer:
        try:
            return self._transport.request(request)
        except InvalidConfiguration as exc:
            raise RequestFailed(str(exc)) from exc
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
        ) as exc:
            raise request_failure(exc) from exc
        except ValueError as exc:  # a host that no library takes for one
            raise BadURL("the URL is not an http(s) URL") from exc


class _Transport(Protocol):
    """Sends a request, and reads the head of its answer."""

    def request(self, request: HttpRequest, /) -> HttpAnswer:
        """Send a request; see :meth:`HttpPool.request`."""
        ...

    def close(self) -> None:
        """Close the kept connections."""
        ...

    def close_idle(self) -> int:
        """Close those that have been kept for too long; return how many are left."""
        ...
