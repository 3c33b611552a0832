"""Deliberate faults of the gateway's callbacks and of its HTTP client."""

from __future__ import annotations

import re
import ssl
from dataclasses import replace
from typing import Any

from gateway_shim.http_client import certificates, web_url
from gateway_shim.http_client import response_head as http_head
from gateway_shim.protocol import callbacks, stream_request
from gateway_shim.protocol.callbacks import Action, Reason
from tests.gateway_shim.parity.mutants.fault_registry import FaultRegistry

__all__ = ["FAULTS"]

FAULTS = FaultRegistry()
"""The faults of callbacks, by name."""


@FAULTS.add
def callbacks_out_of_order() -> None:
    """Send the disconnect callback before the connect callback."""
    from gateway_shim.standalone.http_backend import HttpBackend

    connect = HttpBackend.connect

    def too_soon(self: HttpBackend, payload: Any) -> Any:
        self._post({**payload, "action": "disconnect", "reason": "client_closed"})
        return connect(self, payload)

    HttpBackend.connect = too_soon  # type: ignore[method-assign]
    HttpBackend.disconnect = lambda self, payload, failed: None  # type: ignore[method-assign]


@FAULTS.add
def disconnect_sent_twice() -> None:
    """Send each disconnect callback twice."""
    from gateway_shim.standalone.http_backend import HttpBackend

    disconnect = HttpBackend.disconnect

    def twice(self: HttpBackend, payload: Any, failed: Any) -> None:
        disconnect(self, payload, failed)
        disconnect(self, payload, failed)

    HttpBackend.disconnect = twice  # type: ignore[method-assign]


@FAULTS.add
def wrong_disconnect_reason() -> None:
    """Report a client that left as closed by the server."""
    payload = callbacks.payload

    def wrong(action: Action, token: str, request: Any, reason: Reason | None = None) -> Any:
        return payload(action, token, request, reason and Reason.SERVER_CLOSED)

    callbacks.payload = wrong


@FAULTS.add
def headers_not_joined() -> None:
    """Keep only the last of repeated headers."""
    stream_request.join_headers = lambda pairs: {name.lower(): value for name, value in pairs}


@FAULTS.add
def url_normalized() -> None:
    """Send the backend a normalized request target."""
    payload = callbacks.payload

    def tidy(action: Action, token: str, request: Any, reason: Reason | None = None) -> Any:
        url = re.sub("/+", "/", request["url"]).replace("/b/..", "")
        return payload(action, token, {**request, "url": url}, reason)

    callbacks.payload = tidy


@FAULTS.add
def only_200_accepts() -> None:
    """Refuse a stream if the backend answers 201."""
    from gateway_shim.protocol.callbacks import CallbackAnswer

    CallbackAnswer.accepted = property(lambda self: self.status == 200)  # type: ignore[assignment]


@FAULTS.add
def interim_is_final() -> None:
    """Take the backend's first answer, even if it is an interim answer."""
    from http.client import HTTPResponse

    from gateway_shim.http_client.final_response import FinalResponse

    FinalResponse._read_status = HTTPResponse._read_status  # type: ignore[attr-defined,method-assign]


@FAULTS.add
def body_is_awaited() -> None:
    """Make clients wait for the body of the backend's answer."""
    from gateway_shim.http_client.unread_bodies import UnreadBodies

    UnreadBodies.take = lambda self, answer: answer.discard()  # type: ignore[method-assign]


@FAULTS.add
def any_length() -> None:
    """Take a malformed Content-Length of the backend for 0."""
    length = http_head._length

    def lenient(value: str) -> int:
        try:
            return length(value)
        except http_head.BadAnswer:
            return 0

    http_head._length = lenient


@FAULTS.add
def any_header_line() -> None:
    """Skip the lines among the backend's headers that are not headers."""
    from gateway_shim.http_client import final_response as http_answer

    parse = http_answer.parse_fields  # type: ignore[attr-defined]
    http_answer.parse_fields = lambda lines: parse(line for line in lines if b":" in line)  # type: ignore[attr-defined]


@FAULTS.add
def redirect_is_final() -> None:
    """Take the backend's first answer, even if it is a redirect."""
    from gateway_shim.standalone import http_backend

    http_backend.CALLBACK_REDIRECTS = 0  # type: ignore[attr-defined]


@FAULTS.add
def phrase_is_latin_1() -> None:
    """Decode a UTF-8 reason phrase as latin-1."""
    from gateway_shim.http_client import final_response as http_answer

    parse = http_answer.parse_status_line  # type: ignore[attr-defined]

    def mistaken(line: bytes) -> Any:
        found = parse(line)
        return replace(found, reason=found.reason.encode().decode("latin-1"))

    http_answer.parse_status_line = mistaken  # type: ignore[attr-defined]


@FAULTS.add
def phrase_may_be_empty() -> None:
    """Send a rejected client no phrase if the backend sent none."""
    from gateway_shim.protocol.callbacks import CallbackAnswer

    CallbackAnswer.message = property(lambda self: self.phrase or "")  # type: ignore[assignment]


@FAULTS.add
def ignores_named_authorities() -> None:
    """Ignore the variables that name certificate authorities."""
    certificates._trust_file = lambda context, variable, path: None


@FAULTS.add
def checks_no_certificate() -> None:
    """Accept any certificate of the backend."""
    client_context = certificates.client_context

    def trusting(environ: Any) -> ssl.SSLContext:
        context = client_context(environ)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    certificates.client_context = trusting


@FAULTS.add
def escapes_twice() -> None:
    """Escape the percent signs of CALLBACK_URL again."""
    web_url._IN_PATH = web_url._IN_PATH.replace("%", "")


@FAULTS.add
def few_disconnects_at_once() -> None:
    """Send at most 32 disconnect callbacks at the same time."""
    from gateway_shim.standalone.http_backend import HttpBackend

    make = HttpBackend.__init__

    def narrow(self: HttpBackend, *args: Any, **options: Any) -> None:
        make(self, *args, **{**options, "disconnects_at_once": 32})

    HttpBackend.__init__ = narrow  # type: ignore[method-assign]
