"""The HTTP client of everything here that asks another server: no cookies, bounded, plain errors.

It sits on :mod:`requests`, and reads answers as :mod:`gateway_shim.http_answer` says. It needs no
event loop: the terminal client uses it too. Where gevent runs, its callers put a ``gevent.Timeout``
around a whole exchange, name lookup and body included.

The errors are in :mod:`gateway_shim.errors`, below ``RequestFailed``.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from gateway_shim.errors import AnswerTimeout, BadCertificate, BadRedirect, BadURL, RequestFailed
from gateway_shim.http_session import HttpSession

__all__ = ["MAX_REDIRECTS", "HttpAnswer", "HttpClient"]

MAX_REDIRECTS = 20
"""Redirects that are followed for one request; browsers and Node's fetch follow as many."""

_DISCARDED_BYTES = 65536
_SHOWN_CHARACTERS = 100
_NO_URL = "the URL is not an http(s) URL"
"""Without the URL itself: it may hold a password or a secret, and messages go to the log."""
_URL_ERRORS = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BODY_HEADERS = frozenset({"content-encoding", "content-language", "content-type"})


class HttpClient:
    """Makes requests on kept connections; safe to use from many greenlets.

    Args:
        connections: how many to one server are kept for the next requests.
        redirects: how many redirects to follow for one request; with 0 a redirect is an answer
            like any other.
        environment: whether proxies, ``.netrc`` and certificates of the environment count.
    """

    def __init__(
        self, *, connections: int = 1, redirects: int = 0, environment: bool = False
    ) -> None:
        self._redirects = redirects
        self._session = HttpSession(connections=connections, environment=environment)

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
        self._session.close()

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
        _check(url)
        limits = (seconds if connect_seconds is None else connect_seconds, seconds)
        fields = dict(headers or {})
        for followed in range(self._redirects + 1):
            try:
                answer = self._send(method, url, fields, body, limits)
            except BadURL as exc:
                if followed:
                    raise BadRedirect("a redirect leads to what is not an http(s) URL") from exc
                raise
            location = answer.location if self._redirects else None
            if location is None:
                return answer
            with answer:
                # Read, so that the connection can be used again. The redirect is there already:
                # a body that is cut off, or far too long, changes nothing.
                answer.discard()
            url = self._target(url, location)
            if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                method, body = "GET", None
                fields = {k: v for k, v in fields.items() if k.lower() not in _BODY_HEADERS}
        raise BadRedirect(f"more than {self._redirects} redirects")

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str | bytes],
        body: bytes | None,
        limits: tuple[float, float],
    ) -> HttpAnswer:
        try:
            response = self._session.request(
                method,
                url,
                headers=headers,
                data=body,
                timeout=limits,
                stream=True,
                allow_redirects=False,
            )
        except (*_URL_ERRORS, urllib3.exceptions.LocationValueError) as exc:
            raise BadURL(_NO_URL) from exc
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise _translated(exc) from exc
        except ValueError as exc:  # a host name that has no encoding, or holds a NUL
            raise BadURL(_NO_URL) from exc
        return HttpAnswer(response)

    def _target(self, url: str, location: str) -> str:
        """Return the target of a redirect, with the credentials of the previous URL if they apply.

        Raises:
            BadRedirect: nowhere.
        """
        try:
            target = urljoin(url, location)
            _check(target)
        except (BadURL, ValueError) as exc:
            # Without its query, which may repeat a secret of the URL before.
            shown = ascii(location.partition("?")[0][:_SHOWN_CHARACTERS])
            raise BadRedirect(f"a redirect leads to {shown}, which is not an http(s) URL") from exc
        credentials, at, _ = urlsplit(url).netloc.rpartition("@")
        parts = urlsplit(target)
        if at and "@" not in parts.netloc and not self._session.is_elsewhere(url, target):
            target = parts._replace(netloc=f"{credentials}@{parts.netloc}").geturl()
        return target


class HttpAnswer:
    """A final answer whose body has not been read yet; a context manager.

    Attributes:
        status: 200 to 599.
        reason: the reason phrase; may be empty.
        headers: by name in any case; never a ``Set-Cookie``.
    """

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.reason = response.reason or ""
        self.headers: Mapping[str, str] = response.headers

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

    @property
    def location(self) -> str | None:
        """The target of the redirect, as the server wrote it; None if there is no redirect."""
        location = self.headers.get("Location")
        if self.status not in _REDIRECTS or not location:
            return None
        raw = location.encode("latin-1")  # as http.client has decoded it
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return location  # requests escapes it

    def read(self, limit: int) -> bytes:
        """Read the body, decompressed, to its end or until ``limit`` bytes are there.

        Raises:
            AnswerTimeout: no bytes came in time.
            RequestFailed: the body broke off, or is not what its headers say.
        """
        try:
            data: bytes = self._response.raw.read(limit, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise _translated(exc) from exc
        return data

    def read_some(self, limit: int) -> bytes:
        """Read what is there of the body, at least a byte; empty at its end. Raises as read."""
        try:
            data: bytes = self._response.raw.read1(limit, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise _translated(exc) from exc
        return data

    def discard(self) -> None:
        """Read a short body to its end, so that the connection can be used again.

        Only the status counts to the caller: a body that breaks off changes nothing.
        """
        try:
            self._response.raw.read(_DISCARDED_BYTES)
        except (urllib3.exceptions.HTTPError, OSError):
            return  # The connection is not used again.

    def close(self) -> None:
        """Keep the connection if the body was read to its end, else close it."""
        self._response.close()


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises if it is none
    except ValueError as exc:
        raise BadURL(_NO_URL) from exc
    if not good:
        raise BadURL(_NO_URL)


def _translated(error: Exception) -> RequestFailed:
    """Return the innermost cause in plain words: the libraries wrap it several times."""
    deepest: BaseException = error
    for cause in _chain(error):
        match cause:
            case urllib3.exceptions.NewConnectionError():
                continue  # a time-out to urllib3, whatever the reason; the reason comes next
            case ssl.SSLCertVerificationError():
                return BadCertificate(cause.strerror or str(cause))
            case TimeoutError() | requests.Timeout() | urllib3.exceptions.TimeoutError():
                return AnswerTimeout("no answer in time")
            case OSError(strerror=str() as words):
                return RequestFailed(words)
            case http.client.IncompleteRead() | urllib3.exceptions.IncompleteRead():
                return RequestFailed("it was cut off in the middle")
            case urllib3.exceptions.DecodeError():
                return RequestFailed(str(cause.args[0]))
            case http.client.HTTPException():
                return RequestFailed(str(cause))
            case _:
                deepest = cause
    # Not the outermost one's words, which may hold the URL.
    return RequestFailed(str(deepest))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, the one that led to it, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
