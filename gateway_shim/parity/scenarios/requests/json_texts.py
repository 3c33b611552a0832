"""Scenarios about the JSON of a send: only what ``JSON.parse`` accepts is accepted."""

from __future__ import annotations

from gateway_shim.parity.raw_steps import Part
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios.requests.raw_requests import (
    HOST,
    JSON,
    post,
    raw_request,
    raw_send,
)

__all__ = ["REQUEST_JSON"]

_NAME = "request_json"
_EVENT = '"token":"$T","event":{"data":"x"}'

_TEXTS: tuple[tuple[str, str], ...] = (
    ("spaces", f" \t\r\n{{ {_EVENT} }}\r\n\t "),
    ("byte_order_mark", f"\xef\xbb\xbf{{{_EVENT}}}"),
    ("two_byte_order_marks", f"\xef\xbb\xbf\xef\xbb\xbf{{{_EVENT}}}"),
    ("nan", f'{{{_EVENT},"x":NaN}}'),
    ("infinity", f'{{{_EVENT},"x":-Infinity}}'),
    ("leading_zero", f'{{{_EVENT},"x":01}}'),
    ("no_digit_before_point", f'{{{_EVENT},"x":.5}}'),
    ("no_digit_behind_point", f'{{{_EVENT},"x":5.}}'),
    ("plus", f'{{{_EVENT},"x":+1}}'),
    ("hexadecimal", f'{{{_EVENT},"x":0x1}}'),
    ("digits_of_another_script", f'{{{_EVENT},"x":\xd9\xa1}}'),
    ("huge_number", f'{{{_EVENT},"x":1e999}}'),
    ("long_number", f'{{{_EVENT},"x":{"9" * 5000}}}'),
    ("trailing_comma", f"{{{_EVENT},}}"),
    ("comment", f"{{{_EVENT}/* */}}"),
    ("single_quotes", f"{{{_EVENT},'x':1}}"),
    ("bare_key", f"{{{_EVENT},x:1}}"),
    ("line_feed_in_text", f'{{{_EVENT},"x":"\n"}}'),
    ("nul_in_text", f'{{{_EVENT},"x":"\0"}}'),
    ("delete_in_text", f'{{{_EVENT},"x":"\x7f"}}'),
    ("bad_escape", f'{{{_EVENT},"x":"\\x"}}'),
    ("bad_unicode_escape", f'{{{_EVENT},"x":"\\u12"}}'),
    ("signed_unicode_escape", f'{{{_EVENT},"x":"\\u+123"}}'),
    ("form_feed", f"\f{{{_EVENT}}}"),
    ("no_break_space", f"\xc2\xa0{{{_EVENT}}}"),
    ("junk_behind", f"{{{_EVENT}}}x"),
    ("two_documents", f"{{{_EVENT}}}{{}}"),
    ("true", "true"),
    ("number", "5"),
    ("only_spaces", "  "),
    ("open_brace", "{"),
    ("bad_utf8", f'{{{_EVENT},"x":"\xff"}}'),
    ("bad_utf8_data", '{"token":"$T","event":{"data":"a\xff\xc3"}}'),
    ("overlong_utf8_data", '{"token":"$T","event":{"data":"\xc0\xaf"}}'),
    ("surrogate_utf8_data", '{"token":"$T","event":{"data":"\xed\xa0\x80"}}'),
    ("escaped_pair_data", '{"token":"$T","event":{"data":"\\ud83d\\ude00"}}'),
    ("lone_escape_data", '{"token":"$T","event":{"data":"\\ud83d"}}'),
    ("duplicate_token", '{"token":"nope","token":"$T","event":{"data":"x"}}'),
    ("duplicate_data", '{"token":"$T","event":{"data":"a","data":"b"}}'),
    ("duplicate_named_data", '{"token":"$T","event":{"name":"m","data":"a","data":"b"}}'),
    ("duplicate_event", '{"token":"$T","event":{"data":"a"},"event":{"data":"b"}}'),
    ("escaped_key", '{"\\u0074oken":"$T","event":{"data":"x"}}'),
    ("key_in_another_case", '{"Token":"$T","event":{"data":"x"}}'),
    ("proto_key", f'{{{_EVENT},"__proto__":{{"close":true}}}}'),
    ("proto_token", '{"__proto__":{"token":"$T"},"event":{"data":"x"}}'),
)

_CHARSETS: tuple[tuple[str, str, bytes], ...] = (
    ("only_a_mark", "utf-8", b"\xef\xbb\xbf"),
    ("breaks_off", "utf-8", b'{"token":"nope"}\xc3'),
    ("only_a_mark_16", "utf-16", b"\xff\xfe"),
    ("one_byte_16", "utf-16", b"\xfe"),
    ("little_endian_16", "utf-16", '{"token":"nope"}'.encode("utf-16-le")),
    ("big_endian_16", "utf-16", '{"token":"nope"}'.encode("utf-16-be")),
    ("breaks_off_16", "utf-16le", '{"token":"nope"}'.encode("utf-16-le") + b"x"),
    ("breaks_off_32", "utf-32le", '{"token":"nope"}'.encode("utf-32-le") + b"x"),
    ("shift_7", "utf-7", b'{"token":"+AOk-"}'),
    ("breaks_off_7", "utf-7", b"+"),
)

_SENDING = f"POST /internal/send HTTP/1.1\r\n{HOST}\r\n{JSON}\r\nContent-Length: "
_BEFORE = '{"token":"$T","event":{"data":"x"},"z":'
_BEFORE_LENGTH = len(_BEFORE) + 34


def _deep(case: str, opening: str, closing: str, count: int) -> Scenario:
    length = _BEFORE_LENGTH + count * (len(opening) + len(closing)) + 2
    parts: tuple[Part, ...] = (
        f"{_SENDING}{length}\r\n\r\n{_BEFORE}", (opening, count), "0", (closing, count), "}"
    )  # fmt: skip
    return raw_send(_NAME, case, *parts)


REQUEST_JSON = (
    *(raw_send(_NAME, case, post(text)) for case, text in _TEXTS),
    *(
        raw_request(
            "request_charsets",
            case,
            post(body.decode("latin-1"), f"Content-Type: application/json; charset={charset}"),
            awaits=("POST",),
        )
        for case, charset, body in _CHARSETS
    ),
    _deep("nested_980", "[", "]", 980),
    _deep("nested_5000", "[", "]", 5_000),
    _deep("nested_40000", "[", "]", 40_000),
    _deep("objects_5000", '{"a":', "}", 5_000),
)
"""Sends whose JSON is odd."""
