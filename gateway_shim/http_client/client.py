"""Makes requests to other servers, without cookies and within limits: :class:`HttpClient`.

:mod:`gateway_shim.http_client.web_url` parses the URLs, and
:mod:`gateway_shim.http_client.final_response` reads the answers. The client needs no event loop,
because the terminal client uses it, too. Where gevent runs, callers put a ``gevent.Timeout`` around
the whole exchange, which includes the name lookup and the body.

The errors are in :mod:`gateway_shim.errors`, below ``RequestFailed``.
"""

from __future__ import annotations

import functools
import http.client
import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

import urllib3

from gateway_shim.errors import BadURL, InvalidConfiguration, RequestFailed
from gateway_shim.http_client.answer import HttpAnswer
from gateway_shim.http_client.certificates import default_context
from gateway_shim.http_client.failure import request_failure
from gateway_shim.http_client.pool import HttpPool
from gateway_shim.http_client.redirects import follow_redirects
from gateway_shim.http_client.request import HttpRequest
from gateway_shim.http_client.web_url import parse_web_url

__all__ = ["HttpAnswer", "HttpClient"]

_parse = functools.lru_cache(maxsize=64)(parse_web_url)


class HttpClient:
    """Makes requests on kept connections. Many greenlets may use one client at a time.

    Args:
        connections: the number of connections to one server that are kept for further requests.
        redirects: the number of redirects to follow for one request. With 0, a redirect is returned
            like any other answer.
        environment: True uses the proxies, the ``.netrc`` and the certificates of the environment.
            False uses only the variables of :mod:`gateway_shim.http_client.certificates`.
        context: returns the TLS settings; called at the first https request, and never if
            ``environment`` is True.
        unread: takes over the answers whose bodies are not read, such as redirects, and closes
            them. It must not wait for the server.
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
        self._redirects = redirects  # the number of redirects to follow
        self._transport: _Transport  # sends each request
        if environment:
            # Not at the top: requests takes 40 ms to import, and only the terminal client needs it.
            from gateway_shim.http_client.session import HttpSession

            self._transport = HttpSession(connections=connections)
        else:
            self._transport = HttpPool(connections, context)
        self._unread = unread or HttpAnswer.close_unread  # takes answers that are not read

    def __enter__(self) -> Self:
        """Return the client; it is closed when the context ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the kept connections; the next request opens a new one."""
        self._transport.close()

    def close_idle(self) -> int:
        """Close the connections that are kept for too long; return the number of the others."""
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
            url: the URL; its user name and password are sent as Basic authorization.
            seconds: the time limit for the whole head of the answer, and for each read of its body.
                It begins again at each redirect.
            connect_seconds: the time limit for connecting to one address; by default ``seconds``.
            headers: further headers.
            body: the body, which is sent unchanged; None: no body.

        Returns:
            The final answer, with any status from 200 to 599. Use it as a context manager.

        Raises:
            BadURL: the URL is not an http(s) URL.
            BadRedirect: a redirect cannot be followed, or there were too many.
            BadCertificate: the server's certificate is not valid for the URL.
            AnswerTimeout: the head of the answer was not complete in time.
            RequestFailed: the server cannot be reached, or its answer is not HTTP.
        """
        request = HttpRequest(
            method,
            _parse(url),
            headers or {},
            body,
            connect_seconds=seconds if connect_seconds is None else connect_seconds,
            seconds=seconds,
        )
        return follow_redirects(request, self._send, limit=self._redirects, unread=self._unread)

    # ------------------------------------------------------------------ private

    def _send(self, request: HttpRequest) -> HttpAnswer:
        try:
            return self._transport.request(request)
        except InvalidConfiguration as exc:
            raise RequestFailed(str(exc)) from exc
        # An error of requests is an OSError.
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as exc:
            raise request_failure(exc) from exc
        except ValueError as exc:  # no library accepts the host
            raise BadURL("the URL is not an http(s) URL") from exc


class _Transport(Protocol):
    """The object that sends a request and reads the head of its answer."""

    def request(self, request: HttpRequest, /) -> HttpAnswer:
        """Send a request; see :meth:`HttpPool.request`."""
        ...

    def close(self) -> None:
        """Close the kept connections."""
        ...

    def close_idle(self) -> int:
        """Close the connections that are kept for too long; return the number of the others."""
        ...
