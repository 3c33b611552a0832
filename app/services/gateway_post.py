"""One ``POST /internal/send`` to a gateway behind HTTP, on pooled connections."""

from __future__ import annotations

import contextlib
import json
import logging
from http.cookiejar import DefaultCookiePolicy

import gevent
import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from app.schemas.sse_gateway_schema import SSEGatewaySendRequest
from app.services.gateway_transport import TransportError
from gateway_shim.contract import compact_json
from gateway_shim.safe_text import class_name, text_of

__all__ = ["GatewayPost", "NoAnswer"]

logger = logging.getLogger(__name__)

_BODY_BYTES_READ = 65536


class NoAnswer(TransportError):
    """The gateway took the connection, and then a whole time limit to say nothing."""


class GatewayPost:
    """Posts sends, keep-alive; safe to call from many greenlets.

    Args:
        base_url: the gateway's; ``/internal/send`` is appended.
        time_limit: seconds for one POST, from connecting to the answer.
        connections: how many are kept for the next POSTs.
        secret: sent as ``X-SSE-Secret``, for gateways that ask for one.
    """

    def __init__(
        self, base_url: str, *, time_limit: float, connections: int, secret: str | None = None
    ) -> None:
        self._url = base_url.rstrip("/") + "/internal/send"
        self._time_limit = time_limit
        self._session = _Session()
        self._session.trust_env = False  # no proxy, no .netrc: the gateway is where it is
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["Content-Type"] = "application/json"
        if secret is not None:
            # As bytes: a text would be sent as latin-1, which not every secret can be.
            self._session.headers["X-SSE-Secret"] = secret.encode()
        for scheme in ("http://", "https://"):
            adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections)
            self._session.mount(scheme, adapter)

    def __call__(self, send: SSEGatewaySendRequest) -> int:
        """Post one send.

        Returns:
            The answer's status.

        Raises:
            NoAnswer: there was none within the time limit.
            TransportError: the gateway cannot be reached, or what it says is not HTTP.
        """
        try:
            return self._status_of(_json(send))
        except (gevent.Timeout, requests.Timeout) as exc:
            # A gateway that is merely paused still holds what was posted. Were the stream's next
            # send to go on another connection that is open already, it might be read first; on a
            # new one, it comes after.
            self._session.close()
            raise NoAnswer(f"the gateway did not answer within {self._time_limit:g} s") from exc
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise TransportError(f"the gateway cannot be reached: {text_of(exc)}") from exc
        except Exception as exc:
            # The gateway's bytes went through several libraries: what a surprise of theirs may
            # cost is this send, not the greenlet that all streams' sends depend on.
            logger.exception("a send to the gateway failed unexpectedly")
            raise TransportError(f"the send failed: {class_name(exc)}") from exc

    def _status_of(self, body: bytes) -> int:
        # requests limits each read, not the whole exchange: an answer that trickles would
        # hold a sender for ever.
        with gevent.Timeout(self._time_limit):
            answer = self._session.post(
                self._url,
                data=body,
                timeout=self._time_limit,
                stream=True,
                allow_redirects=False,
            )
            # Read, so that the connection can be used again, but not to the end of a body that
            # has none.
            with answer, contextlib.suppress(urllib3.exceptions.HTTPError, gevent.Timeout):
                answer.raw.read(_BODY_BYTES_READ)
            return answer.status_code


class _Session(requests.Session):
    """A session to which a redirect is an answer like any other."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        # Even where none is followed, requests would read a redirect's body, however long.
        return None


def _json(send: SSEGatewaySendRequest) -> bytes:
    fields = send.model_dump(exclude_unset=True)
    try:
        return compact_json(fields)
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8, but JSON has an escape for it.
        return json.dumps(fields).encode()
