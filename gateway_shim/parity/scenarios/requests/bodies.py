"""Scenarios about a request's body: coding, length, chunks, transfer coding, ``Expect``."""

from __future__ import annotations

import gzip
import zlib

from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios.requests.raw_requests import (
    EVENT,
    HOST,
    JSON,
    UNKNOWN,
    post,
    raw_request,
    raw_send,
    request,
)

__all__ = ["REQUEST_BODIES"]

_CODINGS = "request_codings"
_LENGTHS = "request_lengths"
_CHUNKS = "request_chunks"
_EXPECT = "request_expectations"
_CODED = "request_transfer_codings"
_UNSENT = "divergence_14"


def _deflate_raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


_PLAIN = UNKNOWN.encode()
_GZIP = gzip.compress(_PLAIN, mtime=0)
_ZLIB = zlib.compress(_PLAIN)
_BROTLI = b"\x8b\x07\x80" + _PLAIN + b"\x03"  # RFC 7932: one block of 16 bytes, stored as they are

_CODED_BODIES: tuple[tuple[str, bytes, tuple[str, ...]], ...] = (
    ("gzip", _GZIP, ("gzip",)),
    ("identity", _PLAIN, ("identity",)),
    ("identity_upper", _PLAIN, ("Identity",)),
    ("empty_value", _PLAIN, ("",)),
    ("gzip_twice", _GZIP, ("gzip, gzip",)),
    ("two_headers", _GZIP, ("gzip", "gzip")),
    ("gzip_identity", _GZIP, ("gzip, identity",)),
    ("deflate", _ZLIB, ("deflate",)),
    ("deflate_without_header", _deflate_raw(_PLAIN), ("deflate",)),
    ("deflate_but_gzip", _GZIP, ("deflate",)),
    ("gzip_but_deflate", _ZLIB, ("gzip",)),
    ("gzip_cut", _GZIP[:-6], ("gzip",)),
    ("gzip_bad_checksum", _GZIP[:-8] + b"\0\0\0\0" + _GZIP[-4:], ("gzip",)),
    ("gzip_two_members", gzip.compress(_PLAIN[:5], mtime=0) + gzip.compress(_PLAIN[5:], mtime=0),
     ("gzip",)),
    ("gzip_junk_behind", _GZIP + b"junk", ("gzip",)),
    ("gzip_zeros_behind", _GZIP + b"\0\0\0\0", ("gzip",)),
    ("gzip_empty", b"", ("gzip",)),
    ("gzip_of_nothing", gzip.compress(b"", mtime=0), ("gzip",)),
    ("br_but_plain", _PLAIN, ("br",)),
    ("br", _BROTLI, ("br",)),
    ("zstd", _PLAIN, ("zstd",)),
    ("compress", _PLAIN, ("compress",)),
    ("not_a_token", _PLAIN, ("g zip",)),
)  # fmt: skip

_SENDING = f"POST /internal/send HTTP/1.1\r\n{HOST}\r\n{JSON}\r\n"
_SENT = f"{len(EVENT) + 34:x}"
_CHUNK = f"{_SENT}\r\n{EVENT}\r\n"

_CHUNKED_BODIES: tuple[tuple[str, str], ...] = (
    ("one", f"{_CHUNK}0\r\n\r\n"),
    ("two", f"5\r\n{EVENT[:5]}\r\n{len(EVENT) + 29:x}\r\n{EVENT[5:]}\r\n0\r\n\r\n"),
    ("upper", f"{_SENT.upper()}\r\n{EVENT}\r\n0\r\n\r\n"),
    ("leading_zeros", f"0000{_CHUNK}0\r\n\r\n"),
    ("long_last_chunk", f"{_CHUNK}0000\r\n\r\n"),
    ("extension", f"{_SENT};a=b\r\n{EVENT}\r\n0;c\r\n\r\n"),
    ("quoted_extension", f'{_SENT};a="b;c"\r\n{EVENT}\r\n0\r\n\r\n'),
    ("trailer", f"{_CHUNK}0\r\nX-T: 1\r\n\r\n"),
    ("bad_trailer", f"{_CHUNK}0\r\nX T\r\n\r\n"),
    ("trailer_content_length", f"{_CHUNK}0\r\nContent-Length: 5\r\n\r\n"),
    ("space_before_size", f" {_CHUNK}0\r\n\r\n"),
    ("space_behind_size", f"{_SENT} \r\n{EVENT}\r\n0\r\n\r\n"),
    ("bad_size", f"xyz\r\n{EVENT}\r\n0\r\n\r\n"),
    ("prefixed_size", f"0x{_CHUNK}0\r\n\r\n"),
    ("negative_size", f"-{_CHUNK}0\r\n\r\n"),
    ("signed_size", f"+{_CHUNK}0\r\n\r\n"),
    ("empty_size", f"\r\n{EVENT}\r\n0\r\n\r\n"),
    ("huge_size", f"ffffffffffffffffff\r\n{EVENT}\r\n0\r\n\r\n"),
    ("line_feeds", _CHUNK.replace("\r\n", "\n") + "0\n\n"),
    ("no_line_end_behind", f"{_SENT}\r\n{EVENT}0\r\n\r\n"),
    ("size_too_small", f"5\r\n{EVENT}\r\n0\r\n\r\n"),
    ("breaks_off", f"{_SENT}\r\n{EVENT[:9]}"),
)

_CHUNKED = "Transfer-Encoding: chunked"

_LENGTH_LINES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("twice", ("Content-Length: 16", "Content-Length: 16")),
    ("twice_and_different", ("Content-Length: 16", "Content-Length: 15")),
    ("list", ("Content-Length: 16, 16",)),
    ("plus", ("Content-Length: +16",)),
    ("minus", ("Content-Length: -16",)),
    ("hexadecimal", ("Content-Length: 0x10",)),
    ("underscore", ("Content-Length: 1_6",)),
    ("leading_zero", ("Content-Length: 016",)),
    ("spaces", ("Content-Length:   16  ",)),
    ("inner_space", ("Content-Length: 1 6",)),
    ("text", ("Content-Length: abc",)),
    ("empty", ("Content-Length:",)),
    ("fraction", ("Content-Length: 16.0",)),
    ("huge", ("Content-Length: 99999999999999999999999999",)),
    ("and_chunked", ("Content-Length: 16", _CHUNKED)),
)

_TRANSFER_CODINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("gzip", ("gzip",)),
    ("chunked_gzip", ("chunked, gzip",)),
    ("identity", ("identity",)),
    ("identity_chunked", ("identity, chunked",)),
    ("chunked_twice", ("chunked, chunked",)),
    ("two_headers", ("chunked", "chunked")),
    ("upper", ("CHUNKED",)),
)

_UNKNOWN_CODINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("gzip_chunked", ("gzip, chunked",)),
    ("unknown", ("foo",)),
    ("empty", ("",)),
    ("quoted", ('"chunked"',)),
    ("parameter", ("chunked;q=1",)),
    ("longer", ("chunkedx",)),
)

_BAD = "{]"
_BAD_LINES = (HOST, JSON, "Content-Length: 2")


def _chunked(body: bytes) -> str:
    return f"{len(body):x}\r\n{body.decode('latin-1')}\r\n0\r\n\r\n"


def _coded(lines: tuple[str, ...], body: bytes) -> str:
    text = body.decode("latin-1")
    return post(text, *(f"Content-Encoding: {line}".rstrip() for line in lines))


def _transfer(name: str, case: str, values: tuple[str, ...]) -> Scenario:
    lines = (f"Transfer-Encoding: {value}".rstrip() for value in values)
    return raw_request(
        name, case, post(_chunked(_PLAIN), *lines, length=False), awaits=("POST",), finishes=True
    )


REQUEST_BODIES = (
    *(
        raw_request(_CODINGS, case, _coded(lines, body), awaits=("POST",))
        for case, body, lines in _CODED_BODIES
    ),
    raw_request(
        _CODINGS,
        "gzip_chunked",
        post(_chunked(_GZIP), "Content-Encoding: gzip", _CHUNKED, length=False),
        awaits=("POST",),
    ),
    raw_send(
        _CHUNKS,
        "too_large",
        post("", _CHUNKED, length=False),
        "1adb0\r\n",
        (" ", 110_000),
        "\r\n0\r\n\r\n",
    ),
    *(
        raw_send(_CHUNKS, case, post(body, _CHUNKED, length=False), finishes=True)
        for case, body in _CHUNKED_BODIES
    ),
    *(
        raw_request(
            _LENGTHS, case, post(UNKNOWN, *lines, length=False), awaits=("POST",), finishes=True
        )
        for case, lines in _LENGTH_LINES
    ),
    *(
        raw_send(
            _LENGTHS,
            f"{size} bytes",
            f"{_SENDING}Content-Length: {size}\r\n\r\n",
            (" ", size - len(EVENT) - 34),
            EVENT,
        )
        for size in (102_400, 102_401, 500_000, 2_000_000)
    ),
    raw_send(_LENGTHS, "too_short", post(EVENT)[:-1], finishes=True),
    raw_send(_LENGTHS, "too_long", post(EVENT), "xyz", finishes=True),
    raw_send(_LENGTHS, "too_long_by_a_line", post(EVENT), "\r\n"),
    raw_send(_LENGTHS, "none", post(EVENT, length=False), finishes=True),
    raw_send(_LENGTHS, "none_and_no_body", post("", length=False)),
    raw_send(_LENGTHS, "http_1_0", post(EVENT, version="1.0")),
    raw_send(_LENGTHS, "http_1_0_none", post(EVENT, version="1.0", length=False), finishes=True),
    raw_send(
        _LENGTHS,
        "http_1_0_keep_alive",
        post(EVENT, "Connection: keep-alive", version="1.0") * 2,
        awaits=("POST", "POST"),
    ),
    raw_send(
        _LENGTHS,
        "http_1_0_chunked",
        post(f"{_CHUNK}0\r\n\r\n", _CHUNKED, version="1.0", length=False),
    ),
    *(
        raw_send(_EXPECT, case, post(EVENT, f"Expect: {value}"))
        for case, value in (
            ("continue", "100-continue"),
            ("continue_upper", "100-CONTINUE"),
            ("other", "foo"),
            ("empty", ""),
            ("two", "100-continue, foo"),
        )
    ),
    raw_send(_EXPECT, "http_1_0", post(EVENT, "Expect: 100-continue", version="1.0")),
    raw_send(
        _EXPECT,
        "chunked",
        post(f"{_CHUNK}0\r\n\r\n", "Expect: 100-continue", _CHUNKED, length=False),
    ),
    raw_request(_EXPECT, "get", request("GET /x HTTP/1.1", HOST, "Expect: 100-continue")),
    raw_request(_EXPECT, "get_other", request("GET /x HTTP/1.1", HOST, "Expect: foo")),
    *(_transfer(_CODED, case, values) for case, values in _TRANSFER_CODINGS),
    *(_transfer("divergence_15", case, values) for case, values in _UNKNOWN_CODINGS),
    *(
        raw_request(
            "divergence_15",
            f"get_{case}",
            request("GET /x HTTP/1.1", HOST, f"Transfer-Encoding: {case}"),
        )
        for case in ("gzip", "identity", "foo")
    ),
    *(
        raw_request(
            _UNSENT,
            f"{verb} {target}",
            request(f"{verb} {target} HTTP/1.1", *_BAD_LINES, body=_BAD),
            awaits=(verb,),
        )
        for verb, target in (
            ("GET", "/x"),
            ("HEAD", "/healthz"),
            ("OPTIONS", "/x"),
            ("GET", "/healthz"),
            ("GET", "/readyz"),
            ("POST", "/nope"),
            ("DELETE", "/x"),
        )
    ),
    raw_request(
        _UNSENT,
        "GET with JSON",
        request("GET /x HTTP/1.1", HOST, JSON, "Content-Length: 2", body="{}"),
    ),
    raw_request(
        _UNSENT, "GET with text", request("GET /x HTTP/1.1", HOST, "Content-Length: 2", body="{]")
    ),
    raw_request(
        _UNSENT,
        "GET chunked",
        request("GET /x HTTP/1.1", HOST, JSON, _CHUNKED, body="2\r\n{]\r\n0\r\n\r\n"),
    ),
    raw_request(
        _UNSENT,
        "GET gzip",
        request("GET /x HTTP/1.1", *_BAD_LINES, "Content-Encoding: foo", body=_BAD),
    ),
    raw_request(
        _UNSENT,
        "GET too large",
        f"GET /x HTTP/1.1\r\n{HOST}\r\n{JSON}\r\n",
        "Content-Length: 120000\r\n\r\n",
        (" ", 120_000),
    ),
)
"""Requests whose bodies are odd."""
