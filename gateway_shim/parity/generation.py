"""Generated cases: interleavings of open, send, close and disconnect, the same for a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from gateway_shim.parity.cases import Case
from gateway_shim.parity.steps import (
    AwaitCallback,
    Drop,
    End,
    Fence,
    Gone,
    Open,
    Post,
    Release,
    Request,
    Send,
    Step,
)
from gateway_shim.parity.stub_backend import Fate, Reply

__all__ = ["generate"]

_NAMES = (
    "", "n", "version", "ready", "rejected", "a:b", " x ", "\xe9", "\U0001f600", 'q"q', "b\\s",
    "message", "error", "\ud800", "__proto__", "constructor", "\u2028", "\x01", "data", "x" * 200,
)  # fmt: skip
_UNSAFE_NAMES = ("a\nb", "a\rb", "\0", "a\r\nid: 1")
_PIECES = (
    "a", " ", ":", "\n", "\r", "\r\n", "\n\n", "\u2028", "\x85", "\v", "\0", "\t", "\xe9",
    "\U0001f600", "\ud800", "\udc00", "\ufeff", "data: x", "event: y", "id: 1", "0\r\n\r\n",
    "{", "}", "[", '"', "\\", ",", "null", "1", "x" * 3000,
)  # fmt: skip
_JSON_TEXTS = (
    "{}", "[]", "null", "true", "0", "-0", "1e400", "1.0", '"x"', '"\\ud800"', "NaN", "Infinity",
    "-Infinity", "01", "1.", "[1,\n2]", '{"a":\r\n1}', ' {"a": 1} ', "'x'", '{"a":1,}', "\ufeff1",
    '"\t"', "nul", '{"a":1,"a":2}', "[[[[[]]]]]", '{"__proto__":1}', "1\n", "\n",
)  # fmt: skip
_TARGET_PIECES = (
    "/", "//", "a", "..", ".", "%2F", "%2f", "%zz", "%", "%00", "?", "&", "=", "x=1", "+", ";",
    ":", "@", "~", "!", "$", "'", "(", "*", ",", "#f", "|", '"', "<", "[", "{", "\\", "^", "`",
    "healthz", "readyz", "internal/send", "http://h/p", "favicon.ico",
)  # fmt: skip
_HEADER_NAMES = (
    "X-A", "x-a", "X-B", "Cookie", "cookie", "Accept", "User-Agent", "Authorization", "Via",
    "Last-Event-ID", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded",
    "Set-Cookie", "Referer", "Content-Type", "X_Under", "Age", "ETag", "Expires", "From",
    "If-Modified-Since", "If-None-Match", "Proxy-Authorization", "Retry-After", "Server",
    "Max-Forwards", "Location", "Origin", "Accept-Encoding", "Range", "DNT", "Cache-Control",
    "Sec-Fetch-Mode", "X-Real-IP", "x.dot", "X!x", "Pragma",
)  # fmt: skip
_HEADER_VALUES = (
    "1", "", "a, b", "a;b", "  padded ", "\xe9\xff", "x" * 1000, "a=b", "tab\there", "W/\"x\"",
    "https", "gzip", "bytes=0-1", "no-cache", ",", '"quoted, text"', "http://evil.example",
)  # fmt: skip
_BAD_VALUES: tuple[Any, ...] = (None, 1, 1.5, True, False, [], {}, [{}], "x", "")
_STATUSES = (200, 200, 200, 200, 201, 204, 400, 401, 403, 404, 418, 500, 503)
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
_CONTENT_TYPES = (
    "application/json", "application/json", "application/json", "APPLICATION/JSON",
    "application/json;charset=UTF-8", "application/json; x=y", "text/plain", None,
    "application/x-www-form-urlencoded", "application/ld+json", "text/json",
)  # fmt: skip


def generate(seed: int, count: int) -> list[Case]:
    """The first cases of a seed; more of them begin with the same ones."""
    return [_Generator(f"{seed}/{number}").case() for number in range(count)]


class _Generator:
    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - it has to be repeatable

    def case(self) -> Case:
        kind = self._random.random()
        if kind < 0.12:
            post = Post(self._one(_BODIES), self._one(_CONTENT_TYPES))
            return Case((post, Request(*self._one(_REQUESTS))))
        if kind < 0.18:
            return Case((Open("h", self._target(), self._headers(), "HEAD"),))
        if kind < 0.25:
            return self._gone_while_asking()
        return self._life()

    def _one(self, choices: Sequence[Any]) -> Any:
        return self._random.choice(choices)

    def _gone_while_asking(self) -> Case:
        opened = Open("s", self._target(), reply=Reply(fate=Fate.HOLD), until="callback")
        sends = [Send(self._body(closes=False)) for _ in range(self._random.randrange(3))]
        if self._random.random() < 0.5:
            return Case((opened, *sends, Drop("s"), Gone(), Release()))
        return Case((opened, *sends, Release(), Fence("s"), Drop("s"), AwaitCallback("s")))

    def _life(self) -> Case:
        steps: list[Step] = []
        live: list[str] = []
        for number in range(self._random.randrange(1, 4)):
            name = "abc"[number]
            status = self._one(_STATUSES)
            sends = tuple(self._body(False) for _ in range(self._random.choice((0, 0, 1, 2, 3))))
            closing = status < 300 and self._random.random() < 0.1
            if closing:
                sends = (*sends, {"token": "$T", "close": True}, self._body(False))
            version = "1.0" if self._random.random() < 0.1 else "1.1"
            reply = Reply(status, sends=sends)
            opened = Open(name, self._target(), self._headers(), "GET", version, reply)
            steps.append(opened)
            if status < 300:
                steps.append(Fence(name))
                if closing:
                    steps.append(AwaitCallback(name))
                else:
                    live.append(name)
            else:
                steps.append(End(name))
            for _ in range(self._random.randrange(4)):
                if live:
                    self._something(steps, live)
        for name in live:
            steps += [Drop(name, reset=self._random.random() < 0.2), AwaitCallback(name)]
        return Case(tuple(steps))

    def _something(self, steps: list[Step], live: list[str]) -> None:
        name = self._one(live)
        chance = self._random.random()
        if chance < 0.12:
            live.remove(name)
            gone: Step = Drop(name, reset=self._random.random() < 0.2)
            steps += [gone, AwaitCallback(name), Send(self._body(False), stream=name)]
        elif chance < 0.24:
            live.remove(name)
            event = self._event(self._one(_NAMES))
            steps += [Send({"token": "$T", "event": event, "close": True}, stream=name)]
            steps += [Fence(name), AwaitCallback(name), Send(self._body(False), stream=name)]
        else:
            for _ in range(self._random.choice((1, 1, 2, 5))):
                steps.append(Send(self._body(False), stream=name))
            steps.append(Fence(name))

    def _body(self, closes: bool) -> Any:
        if self._random.random() < 0.08:
            return self._one(([], [1], {}, {"token": self._one(_BAD_VALUES)}))
        body: dict[str, Any] = {"token": "$T" if self._random.random() < 0.95 else "nope"}
        if self._random.random() < 0.9:
            unsafe = self._random.random() < 0.04
            event: Any = {"data": self._data()}
            if self._random.random() < 0.6:
                event = self._event(self._one(_UNSAFE_NAMES if unsafe else _NAMES))
            if self._random.random() < 0.06:
                event[self._one(("name", "data", "id"))] = self._one(_BAD_VALUES)
            body["event"] = self._one(_BAD_VALUES) if self._random.random() < 0.04 else event
        if self._random.random() < 0.1:
            body["close"] = self._one((False, None, 1, "true", 0, []))
        if closes:
            body["close"] = True
        return body

    def _event(self, name: str) -> dict[str, Any]:
        # An empty "rejected" crashes the write of the envelope gateway: a fault that is none of
        # the numbered ones, and that takes the stream with it.
        data = self._data() or ("x" if name == "rejected" else "")
        return {"name": name, "data": data}

    def _data(self) -> str:
        # Two surrogates side by side are one character to everyone who reads the JSON.
        text = self._raw_data().encode("utf-16", "surrogatepass")
        return text.decode("utf-16", "surrogatepass")

    def _raw_data(self) -> str:
        chance = self._random.random()
        if chance < 0.35:
            return str(self._one(_JSON_TEXTS))
        if chance < 0.5:
            return json.dumps({"v": self._one(_PIECES[:20]), "n": self._random.randrange(10**9)})
        return "".join(self._one(_PIECES) for _ in range(self._random.randrange(6)))

    def _target(self) -> str:
        pieces = [self._one(_TARGET_PIECES) for _ in range(self._random.randrange(6))]
        # Two slashes at the front are a host to Node's URL parser, and its 404 nobody's contract.
        target = "/" + "".join(pieces).lstrip("/\\")
        # What is no stream has no life; the requests of their own look at these two.
        return "/" if target.startswith(("/healthz", "/readyz")) else target

    def _headers(self) -> tuple[tuple[str, str], ...]:
        count = self._random.choice((0, 0, 1, 2, 4, 8))
        names = [self._one(_HEADER_NAMES) for _ in range(count)]
        return tuple((name, self._one(_HEADER_VALUES)) for name in names)
