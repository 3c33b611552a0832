"""The divergences about odd names and data (2, 3 and 6), with the exact bytes of our gateway.

The Node gateway inserts data into an envelope as it is. Ours writes JSON that stands for the same
text, so that the browser gets a document that it can parse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PAYLOAD_DIVERGENCES"]

_PAYLOADS = {
    "byte_order_mark": '"\ufeff{}"',
    "byte_order_mark_and_text": '"\ufeffx"',
    "only_byte_order_mark": '"\ufeff"',
    "line_separator": '"\u2028"',
    "next_line": '"\x85"',
    "vertical_tab": r'"\u000b\f"',
    "nul": r'"\u0000"',
    "escape": r'"\u001b"',
    "space": '" "',
    "spaces": '"  "',
    "spaces_and_text": '"  a"',
    "colon": '":"',
    "colon_and_text": '": c"',
    "field": '"data: x"',
    "fields": r'"event: x\ndata: y"',
    "separators": r'"\u001c\u001d\u001e"',
    "only_newline": r'"\n"',
    "two_newlines": r'"\n\n"',
    "text_and_newline": r'"a\n"',
    "newline_and_text": r'"\na"',
    "many_newlines": '"' + r"a\n" * 2_000 + '"',
    "newline_behind": "\t1\ndata: ",
    "newline_in_array": "[1,\ndata: 2]",
    "carriage_return_in_object": '{"a":\ndata: 1}',
    "only_carriage_return": r'"\r"',
    "two_carriage_returns": r'"\r\r"',
    "two_of_both": r'"\r\n\r\n"',
    "newline_and_carriage_return": r'"\n\r"',
    "both_and_newline": r'"a\r\n\nb"',
    "leading_zero": '"01"',
    "infinity": '"Infinity"',
    "minus_infinity": '"-Infinity"',
    "single_quotes": "\"'x'\"",
    "junk_behind": r'"{\"a\":1}x"',
    "no_break_space_before": '"\xa0{}"',
    "no_break_space_behind": '"{}\xa0"',
    "tab_in_text": r'"\"a\tb\""',
    "lone_surrogate": r'"\ud800"',
    "undefined": '"undefined"',
    "digits_of_another_script": '"1\u0661"',
    "signed_unicode_escape": r'"\"\\u+123\""',
    "form_feed": r'"\f1"',
    "long_text": '"' + "x" * 10_000 + '"',
    "open_brackets": f'"{"[" * 3_000}"',
}

# The data of each event in which Node leaves a CR, as the lines that ours writes.
_LINES = {
    "carriage_return": ("", ""),
    "two_carriage_returns": ("", "", ""),
    "two_of_both": ("", "", ""),
    "line_feed_first": ("", "", ""),
    "both_and_line_feed": ("a", "", "b"),
    "in_object": ('{"a":', "1}"),
}
_NAMED_LINES = {
    "carriage_return_in_object": ('{"a":', "1}"),
    "only_carriage_return": ("", ""),
    "two_carriage_returns": ("", "", ""),
    "two_of_both": ("", "", ""),
    "newline_and_carriage_return": ("", "", ""),
    "both_and_newline": ("a", "", "b"),
}
_NAMES = ("nul", "nul_behind", "carriage_return", "line_feed", "both")


def _data(lines: tuple[str, ...]) -> str:
    return "".join(f"data: {line}\n" for line in lines) + "\n"


_ALWAYS: Mapping[str, tuple[int, Mapping[str, Any]]] = {
    **{f"line_ends/{case}": (3, {"bytes": _data(lines)}) for case, lines in _LINES.items()},
    **{f"event_names/{case}": (2, {"status": 400, "bytes": ""}) for case in _NAMES},
}

PAYLOAD_DIVERGENCES: Mapping[str, Mapping[str, tuple[int, Mapping[str, Any]]]] = {
    "named": {
        **_ALWAYS,
        **{
            f"payloads/{case}": (3, {"bytes": "event: n\n" + _data(lines)})
            for case, lines in _NAMED_LINES.items()
        },
        "buffered_carriage_return": (3, {"bytes": _data(("a", "b"))}),
    },
    "envelope": {
        **_ALWAYS,
        **{
            f"payloads/{case}": (6, {"bytes": f'data: {{"type":"n","payload":{payload}}}\n\n'})
            for case, payload in _PAYLOADS.items()
        },
        "request_json/duplicate_named_data": (
            6,
            {"bytes": 'data: {"type":"m","payload":"b"}\n\n'},
        ),
        "buffered_carriage_return": (
            3,
            {"bytes": _data(("a", "b")) + "event: ready\ndata:\n\n"},
        ),
        "buffered_empty_data": (
            6,
            {"bytes": 'data: {"type":"n","payload":null}\n\nevent: ready\ndata:\n\n'},
        ),
    },
}
"""By dialect and scenario id: the divergence's number, and what our gateway shows."""
