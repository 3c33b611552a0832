"""The POST of one send to ``/internal/send`` of a gateway behind HTTP, on pooled connections."""

from __future__ import annotations

import contextlib
import json
import logging

import gevent

from app.schemas.sse_gateway_schema import SSEGatewaySendRequest
from app.services.gateway_transport import TransportError
from gateway_shim.errors import AnswerTimeout, RequestFailed
from gateway_shim.http_client.client import HttpClient
from gateway_shim.log_lines.safe_text import class_name
from gateway_shim.protocol.http import compact_json

__all__ = ["GatewayPost", "NoAnswer"]

logger = logging.getLogger(__name__)


class NoAnswer(TransportError):
    """The gateway accepted the connection, and sent no answer within the time limit."""


class GatewayPost:
    """Posts sends on connections that are kept open. Many greenlets may call it.

    Args:
        base_url: the gateway's URL; ``/internal/send`` is appended.
        time_limit: seconds for one POST, from connecting to the answer.
        connections: the number of connections that are kept for the next POSTs.
        secret: is sent as ``X-SSE-Secret``, for gateways that require it.
    """

    def __init__(
        self, base_url: str, *, time_limit: float, connections: int, secret: str | None = None
    ) -> None:
        self._url = base_url.rstrip("/") + "/internal/send"
        self._time_limit = time_limit
        self._client = HttpClient(connections=connections)
        self._headers: dict[str, str | bytes] = {"Content-Type": "application/json"}
        if secret is not None:
            # As bytes: a text would be sent as latin-1, which cannot encode every secret.
            self._headers["X-SSE-Secret"] = secret.encode()

    def __call__(self, send: SSEGatewaySendRequest) -> int:
        """Post one send.

        Returns:
            The answer's status.

        Raises:
            NoAnswer: the gateway did not answer within the time limit.
            TransportError: the gateway cannot be reached, or its answer is not HTTP.
        """
        try:
            return self._post(_json(send))
        except (gevent.Timeout, AnswerTimeout) as exc:
            # A gateway that is only paused still has the posted send in its socket. On another
            # connection that is already open, the stream's next send might be read before it. On
            # a new connection, the next send is read after it.
            self._client.close()
            raise NoAnswer(f"the gateway did not answer within {self._time_limit:g} s") from exc
        except RequestFailed as exc:
            raise TransportError(f"no answer from the gateway: {exc}") from exc
        except Exception as exc:
            # Several libraries parse the gateway's bytes and may raise unexpected errors. This send
            # then fails, but the greenlet that posts the sends of all streams must go on.
            logger.exception("a send to the gateway failed unexpectedly")
            raise TransportError(f"the send failed: {class_name(exc)}") from exc

    def _post(self, body: bytes) -> int:
        # The client limits each step; this limits all steps together. Otherwise a slow upload, or
        # a body that arrives slowly, would occupy a sender.
        with gevent.Timeout(self._time_limit):
            answer = self._client.request(
                "POST", self._url, body=body, headers=self._headers, seconds=self._time_limit
            )
            # Only the status counts, so a body that does not end in time changes nothing.
            with answer, contextlib.suppress(gevent.Timeout):
                answer.discard()
            return answer.status


def _json(send: SSEGatewaySendRequest) -> bytes:
    fields = send.model_dump(exclude_unset=True)
    try:
        return compact_json(fields)
    except UnicodeEncodeError:
        # Half a surrogate pair cannot be encoded as UTF-8, but JSON has an escape for it.
        return json.dumps(fields).encode()
