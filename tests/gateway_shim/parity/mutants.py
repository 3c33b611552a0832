"""The shim with one deliberate fault, as a command: ``python -m … NAME [shim's options]``.

Each fault is put in where gunicorn's worker loads the application, after gevent has patched the
process, so that the rest of the program is the shim as it is.
"""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gateway_shim.server.worker
from gateway_shim.http_client import certificates, web_url
from gateway_shim.http_client import response_head as http_head
from gateway_shim.protocol import callbacks, routes, stream_request
from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol import http as contract
from gateway_shim.protocol.bodies import content_coding
from gateway_shim.protocol.callbacks import Action, Reason
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.routes import Route
from tests.gateway_shim.parity.request_mutants import REQUEST_MUTANTS

MUTANTS: dict[str, Callable[[], None]] = dict(REQUEST_MUTANTS)
"""Every fault by its name."""


def mutant(change: Callable[[], None]) -> Callable[[], None]:
    """Register a fault under its function's name."""
    MUTANTS[change.__name__] = change
    return change


@mutant
def none() -> None:
    """No fault: the control."""


@mutant
def wrong_header() -> None:
    """A stream may be cached."""
    contract.STREAM_HEADERS = tuple(
        (name, "no-store" if name == "Cache-Control" else value)
        for name, value in contract.STREAM_HEADERS
    )


@mutant
def ignores_content_encoding() -> None:
    """A compressed body is taken as it is."""
    content_coding.decode = lambda coding, body, limit: body


@mutant
def lost_newline() -> None:
    """An event lacks the newline that ends it."""
    encode = wire.encode
    wire.encode = lambda event, dialect: encode(event, dialect)[:-1]


@mutant
def splits_at_unicode_line_ends() -> None:
    """Data is split as ``str.splitlines`` does it."""
    wire._LINE_END = re.compile("\r\n|[\r\n\u2028\x85\v]")


@mutant
def no_cr_split() -> None:
    """Divergence 3 is gone: a lone CR is no line end."""
    wire._LINE_END = re.compile("\n")


@mutant
def missing_final_chunk() -> None:
    """A chunked body just stops."""
    wire.LAST_CHUNK = b""


@mutant
def fifo_reversed() -> None:
    """What was held back comes out newest first."""
    from gateway_shim.protocol.stream import Stream

    take_held = Stream.take_held
    Stream.take_held = lambda self: take_held(self)[::-1]  # type: ignore[method-assign]


@mutant
def phantom_event() -> None:
    """Divergence 4 is gone: a held send without an event writes one."""
    from gateway_shim.protocol.stream import Stream

    hold = Stream.hold
    empty = wire.frame(b"data: \n\n")

    def hold_something(self: Stream, frame: Frame | None, *, close: bool) -> None:
        hold(self, frame or empty, close=close)

    Stream.hold = hold_something  # type: ignore[method-assign]


@mutant
def callbacks_out_of_order() -> None:
    """The backend hears of the end before it hears of the beginning."""
    from gateway_shim.standalone.http_backend import HttpBackend

    connect = HttpBackend.connect

    def too_soon(self: HttpBackend, payload: Any) -> Any:
        self._post({**payload, "action": "disconnect", "reason": "client_closed"})
        return connect(self, payload)

    HttpBackend.connect = too_soon  # type: ignore[method-assign]
    HttpBackend.disconnect = lambda self, payload, failed: None  # type: ignore[method-assign]


@mutant
def told_twice() -> None:
    """A disconnect callback is sent twice."""
    from gateway_shim.standalone.http_backend import HttpBackend

    disconnect = HttpBackend.disconnect

    def twice(self: HttpBackend, payload: Any, failed: Any) -> None:
        disconnect(self, payload, failed)
        disconnect(self, payload, failed)

    HttpBackend.disconnect = twice  # type: ignore[method-assign]


@mutant
def wrong_error_code() -> None:
    """An unknown token is something else."""
    error_body = contract.error_body
    contract.error_body = lambda code, message: error_body(
        "UNKNOWN_TOKEN" if code == "TOKEN_NOT_FOUND" else code, message
    )


@mutant
def buffered_says_ok() -> None:
    """A send that is held back is called written."""
    compact_json = contract.compact_json
    contract.compact_json = lambda value: compact_json(
        {"status": "ok"} if value == {"status": "buffered"} else value
    )


@mutant
def wrong_disconnect_reason() -> None:
    """A client that left is said to have been closed."""
    payload = callbacks.payload

    def wrong(action: Action, token: str, request: Any, reason: Reason | None = None) -> Any:
        return payload(action, token, request, reason and Reason.SERVER_CLOSED)

    callbacks.payload = wrong


@mutant
def headers_not_joined() -> None:
    """Of a repeated header the last one wins."""
    stream_request.join_headers = lambda pairs: {name.lower(): value for name, value in pairs}


@mutant
def url_normalised() -> None:
    """The backend is told a tidied request target."""
    payload = callbacks.payload

    def tidy(action: Action, token: str, request: Any, reason: Reason | None = None) -> Any:
        url = re.sub("/+", "/", request["url"]).replace("/b/..", "")
        return payload(action, token, {**request, "url": url}, reason)

    callbacks.payload = tidy


@mutant
def only_200_accepts() -> None:
    """A backend that answers 201 refuses."""
    from gateway_shim.protocol.callbacks import CallbackAnswer

    CallbackAnswer.accepted = property(lambda self: self.status == 200)  # type: ignore[assignment]


@mutant
def interim_is_final() -> None:
    """The backend's first answer counts, if it is only an interim one."""
    from http.client import HTTPResponse

    from gateway_shim.http_client.final_response import FinalResponse

    FinalResponse._read_status = HTTPResponse._read_status  # type: ignore[attr-defined,method-assign]


@mutant
def no_cors() -> None:
    """The answers of no endpoint carry CORS headers."""
    from gateway_shim.streams.config import Cors

    Cors.headers = lambda self, request_headers: ()  # type: ignore[method-assign]


@mutant
def body_limit_off_by_one() -> None:
    """The largest body that is allowed is refused."""
    contract.MAX_BODY_BYTES -= 1


@mutant
def health_is_case_sensitive() -> None:
    """``/HEALTHZ`` is a stream."""
    route = routes.route

    def strict(method: str, target: str) -> Route:
        found = route(method, target)
        return Route.STREAM if found is Route.HEALTH and target != target.lower() else found

    routes.route = strict


@mutant
def head_calls_the_backend() -> None:
    """Divergence 5 is gone: HEAD opens a stream."""
    route = routes.route
    routes.route = lambda method, target: route(
        "GET" if method == "HEAD" and target != "/healthz" else method, target
    )


@mutant
def no_heartbeat() -> None:
    """No stream gets a heartbeat."""
    from gateway_shim.streams.heartbeats import Heartbeats

    Heartbeats.add = lambda self, connection: None  # type: ignore[method-assign]


@mutant
def slow_heartbeat() -> None:
    """The interval is half as long again."""
    from gateway_shim.streams.heartbeats import Heartbeats

    add = Heartbeats.add

    def late(self: Heartbeats, connection: Any) -> None:
        self._interval = 1.5
        add(self, connection)

    Heartbeats.add = late  # type: ignore[method-assign]


@mutant
def body_is_awaited() -> None:
    """A client waits until the body of the backend's answer has come."""
    from gateway_shim.http_client.unread_bodies import UnreadBodies

    UnreadBodies.take = lambda self, answer: answer.discard()  # type: ignore[method-assign]


@mutant
def any_length() -> None:
    """A Content-Length of the backend's may be anything."""
    http_head._length = lambda value: 0


@mutant
def any_header_line() -> None:
    """What is no header among the backend's is skipped."""
    from gateway_shim.http_client import final_response as http_answer

    parse = http_answer.parse_fields
    http_answer.parse_fields = lambda lines: parse(line for line in lines if b":" in line)


@mutant
def redirect_is_final() -> None:
    """The backend's first answer counts, if it only says where to ask."""
    from gateway_shim.standalone import http_backend

    http_backend.MAX_REDIRECTS = 0


@mutant
def phrase_is_latin_1() -> None:
    """A reason phrase in UTF-8 comes out as two characters for each."""
    from gateway_shim.http_client import final_response as http_answer

    parse = http_answer.parse_status_line

    def mistaken(line: bytes) -> Any:
        found = parse(line)
        return replace(found, reason=found.reason.encode().decode("latin-1"))

    http_answer.parse_status_line = mistaken


@mutant
def phrase_may_be_empty() -> None:
    """Without a reason phrase, a client that is rejected is told none."""
    from gateway_shim.protocol.callbacks import CallbackAnswer

    CallbackAnswer.message = property(lambda self: self.phrase or "")  # type: ignore[assignment]


@mutant
def trusts_no_authority_of_ours() -> None:
    """No variable names an authority."""
    certificates._trust_file = lambda context, variable, path: None


@mutant
def checks_no_certificate() -> None:
    """Anyone on the way can be the backend."""
    client_context = certificates.client_context

    def trusting(environ: Any) -> ssl.SSLContext:
        context = client_context(environ)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    certificates.client_context = trusting


@mutant
def escapes_twice() -> None:
    """A percent sign in CALLBACK_URL is escaped again."""
    web_url._IN_PATH = web_url._IN_PATH.replace("%", "")


@mutant
def few_are_told_at_once() -> None:
    """Whoever leaves with many others is told of after them."""
    from gateway_shim.standalone.http_backend import HttpBackend

    make = HttpBackend.__init__

    def narrow(self: HttpBackend, *args: Any, **options: Any) -> None:
        make(self, *args, **{**options, "disconnects_at_once": 32})

    HttpBackend.__init__ = narrow  # type: ignore[method-assign]


def main() -> None:
    """Run the shim with the fault that the first argument names."""
    change = MUTANTS[sys.argv.pop(1)]
    load = gateway_shim.server.worker.StreamWorker.load_wsgi

    def load_changed(self: Any) -> None:
        change()
        load(self)

    gateway_shim.server.worker.StreamWorker.load_wsgi = load_changed  # type: ignore[method-assign]
    from gateway_shim.standalone.command import gateway_command

    gateway_command(prog_name="mutant")


if __name__ == "__main__":
    main()
