"""Scenarios about a request's head: target, version, method, Host, header lines, sizes."""

from __future__ import annotations

from gateway_shim.parity.raw_steps import Raw
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.scenarios.requests.raw_requests import (
    HOST,
    JSON,
    UNKNOWN,
    raw_request,
    request,
    sized,
)

__all__ = ["REQUEST_HEADS"]

_NAME = "request_heads"
_X = "GET /x HTTP/1.1"

_TARGETS: tuple[tuple[str, str, str], ...] = (
    ("asterisk", "GET", "*"),
    ("asterisk_head", "HEAD", "*"),
    ("asterisk_options", "OPTIONS", "*"),
    ("absolute", "GET", "http://gw.example/p?q"),
    ("absolute_healthz", "GET", "http://gw.example/healthz"),
    ("absolute_https", "GET", "https://gw.example/p"),
    ("absolute_options", "OPTIONS", "http://gw.example/p"),
    ("absolute_post", "POST", "http://gw.example/nope"),
    ("absolute_without_path", "GET", "http://gw.example"),
    ("scheme_only", "GET", "http://"),
    ("scheme_missing", "GET", ":///x"),
    ("other_scheme", "GET", "foo:bar"),
    ("no_slash", "GET", "x"),
    ("query_only", "GET", "?x"),
    ("fragment_only", "GET", "#x"),
    ("authority", "GET", "gw.example:80"),
    ("space", "GET", "/a b"),
    ("two_spaces", "GET", " /a"),
    ("tab", "GET", "/a\tb"),
    ("control", "GET", "/a\x01b"),
    ("nul", "GET", "/a\0b"),
    ("delete", "GET", "/a\x7fb"),
    ("latin1", "GET", "/\xe9"),
    ("utf8", "GET", "/\xc3\xa9"),
    ("bad_escape", "GET", "/%zz?%"),
    ("escaped_nul", "GET", "/%00"),
    ("quotes", "GET", '/"<>\\^`{|}'),
)

_LINES: tuple[tuple[str, str], ...] = (
    ("http_1_2", "GET /x HTTP/1.2"),
    ("http_11", "GET /x HTTP/11"),
    ("http_1_10", "GET /x HTTP/1.10"),
    ("http_1", "GET /x HTTP/1"),
    ("version_lower", "GET /x http/1.1"),
    ("other_protocol", "GET /x ICE/1.0"),
    ("trailing_space", "GET /x HTTP/1.1 "),
    ("tabs", "GET\t/x\tHTTP/1.1"),
    ("leading_space", " GET /x HTTP/1.1"),
    ("no_target", "GET HTTP/1.1"),
    ("no_words", "xyz"),
    ("lower_method", "get /x HTTP/1.1"),
    ("method_not_token", "G@T /x HTTP/1.1"),
    ("long_method", f"{'A' * 40} /x HTTP/1.1"),
    ("trace", "TRACE /x HTTP/1.1"),
    ("propfind", "PROPFIND /x HTTP/1.1"),
    ("m_search", "M-SEARCH /x HTTP/1.1"),
    ("query", "QUERY /x HTTP/1.1"),
    ("http2_preface", "PRI * HTTP/2.0"),
)

_LAX_LINES: tuple[tuple[str, str], ...] = (
    ("http_2_0", "GET /x HTTP/2.0"),
    ("http_0_9", "GET /x HTTP/0.9"),
    ("no_version", "GET /x"),
    ("two_spaces_before_version", "GET /x  HTTP/1.1"),
)

_METHODS: tuple[tuple[str, str], ...] = (
    ("unknown_method", "FOO /x HTTP/1.1"),
    ("unknown_method_healthz", "FOO /healthz HTTP/1.1"),
    ("method_with_digits", "GET1 /x HTTP/1.1"),
    ("connect", "CONNECT gw.example:80 HTTP/1.1"),
    ("connect_path", "CONNECT /x HTTP/1.1"),
)

_HEADERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("no_host", ()),
    ("two_hosts", (HOST, HOST)),
    ("two_hosts_that_differ", (HOST, "Host: other.example")),
    ("empty_host", ("Host:",)),
    ("host_with_space", ("Host: a b",)),
    ("host_with_path", ("Host: a/b",)),
    ("host_with_user", ("Host: u@h",)),
    ("host_with_two_ports", ("Host: h:1:2",)),
    ("space_in_name", (HOST, "X Y: 1")),
    ("space_before_colon", (HOST, "X : 1")),
    ("no_colon", (HOST, "X")),
    ("empty_name", (HOST, ": x")),
    ("folded", (HOST, "X: a", " b")),
    ("folded_with_tab", (HOST, "X: a", "\tb")),
    ("folded_first", (" X: a", HOST)),
    ("empty_fold", (HOST, "X: a", " ")),
    ("name_not_token", (HOST, "X(Y): 1")),
    ("name_latin1", (HOST, "X\xe9: 1")),
    ("name_control", (HOST, "X\x01: 1")),
    ("name_with_odd_token_characters", (HOST, "!#$%&'*+-.^_`|~: 1")),
    ("value_control", (HOST, "X: a\x01b")),
    ("value_nul", (HOST, "X: a\0b")),
    ("value_delete", (HOST, "X: a\x7fb")),
    ("value_tab", (HOST, "X: a\tb")),
    ("value_bare_cr", (HOST, "X: a\rb")),
    ("value_bare_lf", (HOST, "X: a\nY: b")),
    ("value_latin1", (HOST, "X: \xe9\xff")),
    ("upgrade_websocket", (HOST, "Connection: Upgrade", "Upgrade: websocket")),
    ("upgrade_h2c", (HOST, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")),
)

_BEFORE: tuple[tuple[str, str], ...] = (
    ("empty_line_first", "\r\n"),
    ("two_empty_lines_first", "\r\n\r\n"),
    ("ten_empty_lines_first", "\r\n" * 10),
    ("line_feed_first", "\n"),
    ("carriage_return_first", "\r"),
    ("space_line_first", " \r\n"),
    ("nul_first", "\0"),
    ("byte_order_mark_first", "\xef\xbb\xbf"),
)

_UNCONFIGURED = ("HEAD /x", "HEAD /healthz", "HEAD /readyz", "HEAD /internal/send", "OPTIONS /x")
_END = "\r\n\r\n"

_SEND_PATHS = (
    "/internal/send/",
    "/INTERNAL/Send",
    "/internal/send?x=1",
    "/internal/send?",
    "/internal/send/?x",
    "/internal/send#x",
    "/internal//send",
    "//internal/send",
    "/internal/%73end",
    "/internal/send%2f",
    "/internal/send//",
    "/internal/send;x",
    "/internal/../internal/send",
    "/internal/./send",
    "/internal/send%20",
    "/internal/send/x",
    "/internal/sendx",
    "/internal",
    "/internal/",
    "/",
    "http://gw.example/internal/send",
)


def _long(case: str, size: int) -> Scenario:
    return raw_request(_NAME, case, "GET /", ("a", size - 1), " HTTP/1.1\r\n", HOST, _END)


def _many(case: str, header: str, count: int) -> Scenario:
    return raw_request(_NAME, case, f"{_X}\r\n{HOST}\r\n", (header, count), "\r\n")


REQUEST_HEADS = (
    *(
        raw_request(
            _NAME, f"target_{case}", request(f"{verb} {target} HTTP/1.1", HOST), awaits=(verb,)
        )
        for case, verb, target in _TARGETS
    ),
    _long("target_of_8181", 8_181),
    _long("target_of_8190", 8_190),
    _long("target_of_16300", 16_300),
    _long("target_of_17000", 17_000),
    _long("target_of_60000", 60_000),
    raw_request(
        _NAME,
        "healthz_target_of_16000",
        "GET /healthz?",
        ("a", 15_991),
        " HTTP/1.1\r\n",
        HOST,
        _END,
    ),
    raw_request(
        _NAME, "post_target_of_16000", "POST /", ("a", 15_999), " HTTP/1.1\r\n", HOST, _END
    ),
    _many("headers_1500", "X-#: v\r\n", 1_500),
    _many("headers_2100_short", "a#:\r\n", 2_100),
    _many("headers_2500", "X-#: v\r\n", 2_500),
    _many("headers_same_name_1000", "X: #\r\n", 1_000),
    raw_request(_NAME, "value_of_16000", f"{_X}\r\n{HOST}\r\nX: ", ("a", 16_000), _END),
    raw_request(_NAME, "value_of_17000", f"{_X}\r\n{HOST}\r\nX: ", ("a", 17_000), _END),
    raw_request(_NAME, "name_of_300", f"{_X}\r\n{HOST}\r\n", ("X", 300), ": v", _END),
    raw_request(_NAME, "name_of_17000", f"{_X}\r\n{HOST}\r\n", ("X", 17_000), ": v", _END),
    *(raw_request(_NAME, f"line_{case}", request(line, HOST)) for case, line in _LINES),
    *(raw_request("divergence_19", case, request(line, HOST)) for case, line in _LAX_LINES),
    *(raw_request("divergence_17", case, request(line, HOST)) for case, line in _METHODS),
    *(raw_request(_NAME, case, request(_X, *lines)) for case, lines in _HEADERS),
    *(
        raw_request(
            "send_paths",
            path,
            request(f"POST {path} HTTP/1.1", HOST, JSON, sized(UNKNOWN), body=UNKNOWN),
            awaits=("POST",),
        )
        for path in _SEND_PATHS
    ),
    raw_request(_NAME, "no_host_http_1_0", request("GET /healthz HTTP/1.0")),
    raw_request(_NAME, "no_host_healthz", request("GET /healthz HTTP/1.1")),
    raw_request(_NAME, "no_host_head", request("HEAD /x HTTP/1.1"), awaits=("HEAD",)),
    raw_request(
        _NAME, "no_host_post", request("POST /internal/send HTTP/1.1", "Content-Length: 0")
    ),
    *(
        raw_request(_NAME, case, before, request("GET /healthz HTTP/1.1", HOST))
        for case, before in _BEFORE
    ),
    raw_request(
        _NAME,
        "empty_line_between",
        request("GET /healthz HTTP/1.1", HOST),
        "\r\n",
        request("GET /readyz HTTP/1.1", HOST),
        awaits=("GET", "GET"),
    ),
    raw_request(_NAME, "bare_line_feeds", f"GET /healthz HTTP/1.1\n{HOST}\n\n", finishes=True),
    raw_request(_NAME, "bare_line_feed_in_head", f"GET /healthz HTTP/1.1\r\n{HOST}\n\r\n"),
    raw_request(
        _NAME, "bare_carriage_returns", f"GET /healthz HTTP/1.1\r{HOST}\r\r", finishes=True
    ),
    raw_request(_NAME, "tls_hello", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", finishes=True),
    raw_request(_NAME, "head_breaks_off", f"GET /x HTTP/1.1\r\n{HOST}\r\n", finishes=True),
    raw_request(_NAME, "nothing", "", finishes=True),
    Scenario(
        "without_callback_url",
        tuple(
            Raw((request(f"{line} HTTP/1.1", HOST),), (line.split()[0],), name=line)
            for line in _UNCONFIGURED
        ),
        {line: f"$value:{line}" for line in _UNCONFIGURED},
        process=Process(callback="none"),
    ),
)
"""Requests whose heads are odd."""
