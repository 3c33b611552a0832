"""Generated requests besides streams: whole ones, and ones that no HTTP library makes."""

from __future__ import annotations

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.generation import events, targets
from gateway_shim.parity.fuzz.generation.dice import Dice
from gateway_shim.parity.raw_steps import Part
from gateway_shim.parity.steps import Post, Raw, Request

__all__ = ["odd", "post", "whole"]

_REQUESTS = (
    ("POST", "/x"), ("PUT", "/internal/send"), ("DELETE", "/healthz"), ("PATCH", "/a?b=c"),
    ("OPTIONS", "/x"), ("GET", "/healthz"), ("GET", "/readyz/"), ("HEAD", "/healthz"),
    ("GET", "/HEALTHZ?a"), ("POST", "/internal/send/x"), ("POST", "/internal"),
)  # fmt: skip
_BODIES = (
    "", "{", "null", "1", '"x"', "[]", "{}", '{"token":"x"}', '{"token":"x","event":{"data":"d"}}',
    '{"a":', "\xff\xfe", "NaN", '{"token":NaN}', "  {}  ", '{"token":"x"} x', "[[[[1]]]]",
    '{"token":"x","token":"y"}', '{"token":"\\ud800"}', "\xef\xbb\xbf{}",
)  # fmt: skip
_JSON = "application/json"
_CONTENT_TYPES = (
    _JSON, _JSON, _JSON, _JSON, "APPLICATION/JSON", "application/json;charset=UTF-8",
    "application/json; x=y", "text/plain", None, "application/x-www-form-urlencoded",
    "application/ld+json", "text/json", "application/json; charset=utf8", "*/*", "json",
    'application/json; charset="utf-8"', "application/json; charset='utf-8'",
    "application/json; charset=latin1", "application/json; charset=utf-16",
    "application/json ; charset=utf-8", "application/json, text/plain",
    "application/json; charset=iso-8859-1", "application/json; CHARSET=Utf-8",
)  # fmt: skip
_VERSIONS = (
    "HTTP/1.2",
    "HTTP/1.",
    "HTTP/11",
    "http/1.1",
    "HTTP/1.1x",
    "HTTP/3.0",
    "HTTP",
    "HTTP/0.8",
)
_NO_REQUESTS = (
    "GET", "GET /x y HTTP/1.1", "GET /\x01 HTTP/1.1", "\0", "GET\t/x\tHTTP/1.1",
    " GET /x HTTP/1.1",
    "GET /\xe9 HTTP/1.1", "/x HTTP/1.1", "GET /x HTTP/1.1 ",
    "\x16\x03\x01\0\xa5", "HTTP/1.1 200 OK",
)  # fmt: skip
_HOSTS: tuple[tuple[Part, ...], ...] = (
    (),
    ("Host: a\r\n", "Host: a\r\n"),
    ("Host: a\r\n", "Host: b\r\n"),
)
_HOST: tuple[Part, ...] = ("Host: h\r\n",)
_LINES: tuple[Part, ...] = (
    "X: a\r\n", "X:\r\n", "X: \xff\r\n", "Upgrade: h2c\r\n", "Connection: close\r\n",
    "Connection: keep-alive\r\n", "X!#$%&'*+-.^_`|~: a\r\n",
)  # fmt: skip
_MANY_LINES: tuple[Part, ...] = (("X#: a\r\n", 500), ("X#: a\r\n", 900), ("Age: 1\r\n", 1900))
"""Many headers. The thousandth and those after it repeat one header, because Node drops them."""
_BAD_LINES: tuple[Part, ...] = (
    "nonsense\r\n", "X : a\r\n", " X: a\r\n", ": a\r\n", "X: a\0b\r\n", "X: a\x01\r\n",
    "X\x01: a\r\n", "X y: a\r\n",
    "(x): a\r\n", "X\xe9: a\r\n", "X: a\x7f\r\n", "X: a\rb\r\n",
)  # fmt: skip
_METHODS = (
    "HEAD",
    "OPTIONS",
    "PUT",
    "TRACE",
    "get",
    "FOO",
    "G",
    "PROPFIND",
    "M-SEARCH",
    "GET",
    "GET,",
)
_EMPTY: tuple[Part, ...] = ("\r\n", ("\r\n", 3))
_BAD_LENGTHS = ("x", "-1", "+1", "1, 1", "", "1 1", "0x1", "1.0")
_CHUNKS = (
    '5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n',
    "2;x\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}\r\n0\r\nX: y\r\n\r\n",
)
_BAD_CHUNKS = (
    "zz\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}xx0\r\n\r\n",
    "-2\r\n{}\r\n0\r\n\r\n",
    "0x2\r\n{}\r\n0\r\n\r\n",
)
_LENGTHS = (8181, 8190, 8192, 10_000, 15_000, 16_200, 20_000)


def post(dice: Dice) -> Post:
    """Return a ``POST /internal/send`` of any text with any Content-Type."""
    if dice.chance(0.1):
        return Post('{"token":"x","x":' + events.deep(dice) + "}", _JSON)
    return Post(dice.one(_BODIES), dice.one(_CONTENT_TYPES))


def whole(dice: Dice) -> Request:
    """Return a request to an endpoint other than a stream."""
    if dice.chance(0.2):
        return Request("GET", targets.no_stream(dice))
    if dice.chance(0.1):  # a body that is not expected (divergence 14)
        method, target = dice.one((("GET", "/healthz"), ("OPTIONS", "/x")))
        return Request(method, target, (("Content-Type", _JSON),), dice.one(("{", "nul", "{}")))
    return Request(*dice.one(_REQUESTS))


def odd(dice: Dice) -> Case:
    """Return a case with one request of any bytes on its own connection."""
    kind = dice.one((_start, _host, _fields, _long, _empty_lines, _body, _methods))
    return Case((kind(dice),))


def _start(dice: Dice) -> Raw:
    """Return a request with an invalid version or an invalid request line."""
    if dice.chance(0.7):
        return Raw((f"GET /x {dice.one(_VERSIONS)}\r\n", *_HOST, "\r\n"))
    line = dice.one(_NO_REQUESTS)
    return Raw((f"{line}\r\n", *_HOST, "\r\n"))


def _host(dice: Dice) -> Raw:
    """Return a request without Host or with two; with HTTP/1.0 it may be missing."""
    version = dice.one(("1.1", "1.1", "1.0"))
    return Raw(
        (f"GET {dice.one(('/x', '/healthz'))} HTTP/{version}\r\n", *dice.one(_HOSTS), "\r\n")
    )


def _fields(dice: Dice) -> Raw:
    lines = dice.some(_LINES, 3)
    if dice.chance(0.2):
        lines.append(dice.one(_MANY_LINES))
    if dice.chance(0.5):
        lines.insert(dice.below(len(lines) + 1), dice.one(_BAD_LINES))
    return Raw(("GET /x HTTP/1.1\r\n", *_HOST, *lines, "\r\n"))


def _long(dice: Dice) -> Raw:
    return Raw(("GET /", ("a", dice.one(_LENGTHS)), " HTTP/1.1\r\n", *_HOST, "\r\n"))


def _empty_lines(dice: Dice) -> Raw:
    """Return requests with empty lines before or between them (RFC 9112, section 2.2)."""
    lines: tuple[Part, ...] = (dice.one(_EMPTY),)
    request: tuple[Part, ...] = ("GET /healthz HTTP/1.1\r\n", *_HOST, "\r\n")
    if dice.chance(0.5):
        return Raw((*lines, *request))
    return Raw((*request, *lines, *request), ("GET", "GET"))


def _body(dice: Dice) -> Raw:
    """Return a send whose body is framed in any way."""
    head = ("POST /internal/send HTTP/1.1\r\n", *_HOST, f"Content-Type: {_JSON}\r\n")
    chance = dice.share()
    if chance < 0.3:
        rest: str = f"Content-Length: {dice.one(_BAD_LENGTHS)}\r\n\r\n{{}}"
    elif chance < 0.7:
        chunks = dice.one(_CHUNKS if dice.chance(0.6) else _BAD_CHUNKS)
        rest = f"Transfer-Encoding: chunked\r\n\r\n{chunks}"
    elif chance < 0.85:
        rest = "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    else:
        rest = "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
    return Raw((*head, rest), ("POST",))


def _methods(dice: Dice) -> Raw:
    method, target = dice.one(_METHODS), dice.one(("/x", "/healthz", "*"))
    if method == "HEAD":
        target = "/healthz"  # for HEAD on a stream's path, Node opens a stream (divergence 5)
    return Raw((f"{method} {target} HTTP/1.1\r\n", *_HOST, "\r\n"), (method,))
