"""Scenarios about answers after their status line: headers, framing, bodies, and delays."""

from __future__ import annotations

from gateway_shim.parity.reply import After, RawAnswer, Reply, raw_data
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.scenarios.callbacks.answers import answer, answer_scenario, then_closed
from gateway_shim.parity.steps import Fence, Open, Pause, Release

__all__ = ["CALLBACK_WIRE"]

_OK = "HTTP/1.1 200 OK\r\n"
_LENGTH = "Content-Length: 2\r\n\r\n{}"
_CHUNKED = _OK + "Transfer-Encoding: chunked\r\n\r\n"
# The text "{}" compressed by gzip, without a time.
_GZIP = "\x1f\x8b\x08\0\0\0\0\0\x02\x03\xab\xae\x05\0C\xbf\xa6\xa3\x02\0\0\0"

_FRAMING: tuple[tuple[str, RawAnswer | Reply], ...] = (
    ("chunked", _CHUNKED + "2\r\n{}\r\n0\r\n\r\n"),
    ("chunked with trailer", _CHUNKED + "2\r\n{}\r\n0\r\nX: y\r\n\r\n"),
    ("chunked with extension", _CHUNKED + "2;a=b\r\n{}\r\n0\r\n\r\n"),
    ("chunked, no size", _CHUNKED + "zz\r\n{}\r\n"),
    ("chunked, huge size", _CHUNKED + "fffffffffffffffffffff\r\n{}\r\n"),
    ("chunked, cut", then_closed(_CHUNKED + "5\r\n{}")),
    ("gzip, chunked", _OK + "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ("unknown coding", then_closed(_OK + "Transfer-Encoding: foo\r\n\r\n{}")),
    ("chunked twice", _OK + "Transfer-Encoding: chunked\r\n" * 2 + "\r\n2\r\n{}\r\n0\r\n\r\n"),
    ("length cut", then_closed(_OK + "Content-Length: 50\r\n\r\n{}")),
    ("longer than its length", _OK + "Content-Length: 1\r\n\r\n{}xxxx"),
    ("length abc", _OK + "Content-Length: abc\r\n\r\n{}"),
    ("length -5", _OK + "Content-Length: -5\r\n\r\n{}"),
    ("length +2", _OK + "Content-Length: +2\r\n\r\n{}"),
    ("length empty", _OK + "Content-Length:\r\n\r\n{}"),
    ("length 2, 2", _OK + "Content-Length: 2, 2\r\n\r\n{}"),
    ("length 0x2", _OK + "Content-Length: 0x2\r\n\r\n{}"),
    ("length 1 1", _OK + "Content-Length: 1 1\r\n\r\n{}"),
    ("length 30 digits", (_OK + "Content-Length: ", ("9", 30), "\r\n\r\n{}")),
    ("length 2 and 3", _OK + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    ("length 2 and 2", _OK + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
    ("length and chunked", _CHUNKED[:-2] + "Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    ("chunked and length", answer("200 OK", "{}", "Transfer-Encoding: chunked\r\n")),
    ("no framing", then_closed(_OK + "\r\n{}")),
    ("HTTP/1.0", then_closed("HTTP/1.0 200 OK\r\n\r\n{}")),
    ("HTTP/1.0, chunked", then_closed(_CHUNKED.replace("1.1", "1.0") + "2\r\n{}\r\n0\r\n\r\n")),
)

_HEADERS: tuple[tuple[str, RawAnswer | Reply], ...] = (
    ("no colon", _OK + "nonsense\r\n" + _LENGTH),
    ("only a colon", _OK + ": a\r\n" + _LENGTH),
    ("space before the colon", _OK + "X : a\r\n" + _LENGTH),
    ("space before the name", _OK + " X: a\r\n" + _LENGTH),
    ("space in the name", _OK + "X Y: a\r\n" + _LENGTH),
    ("odd name", _OK + "X@(): a\r\n" + _LENGTH),
    ("utf-8 in the name", _OK + "X\xc3\xa9: a\r\n" + _LENGTH),
    ("folded", _OK + "X: a\r\n b\r\n" + _LENGTH),
    ("control byte", _OK + "X: a\x01\r\n" + _LENGTH),
    ("NUL", _OK + "X: a\0\r\n" + _LENGTH),
    ("DEL", _OK + "X: a\x7f\r\n" + _LENGTH),
    ("tab", _OK + "X: a\tb\r\n" + _LENGTH),
    ("latin-1", _OK + "X: \xe9\r\n" + _LENGTH),
    ("bare CR", _OK + "X: a\rb\r\n" + _LENGTH),
    ("bare LF", _OK + "X: a\nY: b\r\n" + _LENGTH),
    ("only LF", then_closed("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}")),
    ("LF after the status line", then_closed("HTTP/1.1 200 OK\n" + _LENGTH)),
    ("LF at the end of the head", then_closed(_OK + "Content-Length: 2\r\n\n{}")),
    ("150 headers", (_OK, ("X: a\r\n", 150), _LENGTH)),
    ("1500 headers", (_OK, ("X: a\r\n", 1500), _LENGTH)),
    ("15 KB", (_OK + "X: ", ("a", 15_000), "\r\n" + _LENGTH)),
    ("70 KB", (_OK + "X: ", ("a", 70_000), "\r\n" + _LENGTH)),
    ("connection: close", answer("200 OK", "{}", "Connection: close\r\n")),
)

_BROKEN: tuple[tuple[str, RawAnswer | Reply], ...] = (
    ("HTTP/0.9", then_closed("{}")),
    ("garbage", then_closed("\0\x01garbage\r\n\r\n")),
    ("HTTP/2", then_closed("HTTP/2 200 \r\n\r\n")),
    ("TLS", then_closed("\x15\x03\x01\0\x02\x02\x46")),
    ("another protocol", then_closed("SSH-2.0-OpenSSH_9.6\r\n")),
    ("reset before", then_closed("", After.RESET)),
    ("closed before", then_closed("")),
    ("closed in the status line", then_closed("HTTP/1.1 200 O")),
    ("closed in a header", then_closed(_OK + "Content-Le")),
    ("closed before the empty line", then_closed(_OK + "Content-Length: 0\r\n")),
    ("reset in the head", then_closed(_OK + "Content-Le", After.RESET)),
    ("an endless head", (_OK, ("X: a\r\n", 50_000))),
)

_BODIES: tuple[tuple[str, RawAnswer | Reply], ...] = (
    ("gzip", answer("200 OK", _GZIP, "Content-Encoding: gzip\r\n")),
    ("no gzip", answer("200 OK", "notgzip", "Content-Encoding: gzip\r\n")),
    ("br", answer("200 OK", "{}", "Content-Encoding: br\r\n")),
    ("unknown encoding", answer("200 OK", "{}", "Content-Encoding: foo\r\n")),
    ("no JSON", answer("200 OK", "<html>", "Content-Type: text/html\r\n")),
    ("bindings", answer("200 OK", '{"request_id":"r","bindings":["a"]}')),
    ("event", answer("200 OK", '{"event":{"name":"x","data":"y"},"close":true}')),
    ("no UTF-8", answer("200 OK", "\xff\xfe")),
    ("null", answer("200 OK", "null")),
    ("1 MB", (_OK + "Content-Length: 1000002\r\n\r\n", (" ", 1_000_000), "{}")),
    ("1 MB of a 500", ("HTTP/1.1 500 E\r\nContent-Length: 1000000\r\n\r\n", (" ", 1_000_000))),
)

_PASSED_ON: tuple[tuple[str, str, str], ...] = (
    ("cookie", answer("200 OK", "{}", "Set-Cookie: a=b\r\n"), "set-cookie"),
    ("retry-after", answer("429 X", "{}", "Retry-After: 7\r\n"), "retry-after"),
    ("www-authenticate", answer("401 X", "{}", "WWW-Authenticate: Basic\r\n"), "www-authenticate"),
    (
        "cors",
        answer("403 X", "{}", "Access-Control-Allow-Origin: https://a\r\nX-Y: z\r\n"),
        "x-y",
    ),
)


def _withheld(case: str, head: str, *, released: bool = False) -> Scenario:
    """Return a scenario that shows whether the client has its answer before the body has come."""
    reply = Reply(raw=head, after=After.WITHHOLD, tail="{}")
    steps = (Release(),) if released else ()
    before = {"before_the_rest": "$value:withheld:s"}
    return answer_scenario("callback_withheld", case, reply, *steps, observe=before)


def _sized(status: str) -> str:
    return f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n"


_CLOSED = then_closed(answer("200 OK"))

CALLBACK_WIRE = (
    *(answer_scenario("callback_framing", case, raw) for case, raw in _FRAMING),
    *(answer_scenario("callback_headers", case, raw) for case, raw in _HEADERS),
    *(answer_scenario("callback_broken", case, raw) for case, raw in _BROKEN),
    *(answer_scenario("callback_body", case, raw) for case, raw in _BODIES),
    *(
        answer_scenario("callback_passes_on", case, raw, observe={name: f"$header:s:{name}"})
        for case, raw, name in _PASSED_ON
    ),
    _withheld("200, then its body", _sized("200 OK"), released=True),
    _withheld("200", _sized("200 OK")),
    _withheld("200, chunked", _CHUNKED),
    _withheld("200 without framing", _OK + "\r\n"),
    _withheld("204 with a length", _sized("204 N")),
    _withheld("401", _sized("401 F")),
    _withheld("403", _sized("403 F")),
    _withheld("500", _sized("500 E")),
    *(
        answer_scenario(
            "callback_slow",
            f"head after {seconds} s",
            Reply(raw=answer("200 OK"), delay=float(seconds)),
            seconds=seconds,
        )
        for seconds in (3, 4)
    ),
    answer_scenario(
        "callback_slow",
        "a byte at a time",
        Reply(raw=(_OK + "X: ", ("a", 100)), every=0.1),
        seconds=5.5,
        observe={"seconds": "$about:5"},
    ),
    Scenario(
        "callback_connections",
        (*(step for n in range(5) for step in (Open(f"{n}"), Fence(f"{n}"))),),
        {"case": "one after the other", "connections": "$connections"},
        case="one after the other",
        process=Process(),
    ),
    Scenario(
        "callback_connections",
        (Open("a", reply=_CLOSED), Fence("a"), Pause(0.5), Open("b"), Fence("b")),
        {
            "case": "closed between two callbacks",
            "callback_answer_raw": raw_data(_CLOSED),
            "statuses": ["$status:a", "$status:b"],
            "connections": "$connections",
        },
        case="closed between two callbacks",
        process=Process(),
    ),
)
"""The scenarios about headers, framing, bodies and delays."""
