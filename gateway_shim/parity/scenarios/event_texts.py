"""Scenarios about names and data of events: line ends, odd characters, data that is not JSON."""

from __future__ import annotations

from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import Fence, Open, Send

__all__ = ["EVENT_TEXTS"]

_LINE_ENDS: tuple[tuple[str, str], ...] = (
    ("carriage_return", "\r"),
    ("two_carriage_returns", "\r\r"),
    ("two_of_both", "\r\n\r\n"),
    ("line_feed_first", "\n\r"),
    ("both_and_line_feed", "a\r\n\nb"),
    ("in_object", '{"a":\r\n1}'),
)

_NAMES: tuple[tuple[str, str], ...] = (
    ("nul", "\0"),
    ("nul_behind", "a\0"),
    ("carriage_return", "\r"),
    ("line_feed", "\n"),
    ("both", "a\r\nb"),
)

_DATA: tuple[tuple[str, str], ...] = (
    ("byte_order_mark", "\ufeff{}"),
    ("byte_order_mark_and_text", "\ufeffx"),
    ("only_byte_order_mark", "\ufeff"),
    ("line_separator", "\u2028"),
    ("next_line", "\x85"),
    ("vertical_tab", "\v\f"),
    ("nul", "\0"),
    ("escape", "\x1b"),
    ("space", " "),
    ("spaces", "  "),
    ("spaces_and_text", "  a"),
    ("colon", ":"),
    ("colon_and_text", ": c"),
    ("field", "data: x"),
    ("fields", "event: x\ndata: y"),
    ("separators", "\x1c\x1d\x1e"),
    ("only_newline", "\n"),
    ("two_newlines", "\n\n"),
    ("text_and_newline", "a\n"),
    ("newline_and_text", "\na"),
    ("many_newlines", "a\n" * 2_000),
    ("newline_behind", "\t1\n"),
    ("newline_in_array", "[1,\n2]"),
    ("carriage_return_in_object", '{"a":\r\n1}'),
    ("only_carriage_return", "\r"),
    ("two_carriage_returns", "\r\r"),
    ("two_of_both", "\r\n\r\n"),
    ("newline_and_carriage_return", "\n\r"),
    ("both_and_newline", "a\r\n\nb"),
    ("leading_zero", "01"),
    ("infinity", "Infinity"),
    ("minus_infinity", "-Infinity"),
    ("single_quotes", "'x'"),
    ("junk_behind", '{"a":1}x'),
    ("no_break_space_before", "\xa0{}"),
    ("no_break_space_behind", "{}\xa0"),
    ("tab_in_text", '"a\tb"'),
    ("lone_surrogate", "\ud800"),
    ("lone_surrogate_in_text", '"\ud800"'),
    ("undefined", "undefined"),
    ("digits_of_another_script", "1\u0661"),
    ("signed_unicode_escape", '"\\u+123"'),
    ("form_feed", "\f1"),
    ("long_text", "x" * 10_000),
    ("open_brackets", "[" * 3_000),
    ("duplicate_keys", '{"a":1,"a":2}'),
    ("huge_number", "1e999"),
)


def _nested(opening: str, closing: str, count: int, inside: str = "0") -> str:
    return opening * count + inside + closing * count


def _payload(case: str, data: str) -> Scenario:
    return _event_scenario("payloads", case, {"name": "n", "data": data})


def _event_scenario(name: str, case: str, event: dict[str, str]) -> Scenario:
    return Scenario(
        name,
        (
            Open(),
            Fence(forget=True),
            Send({"token": "$T", "event": event}),
            Fence(),
        ),
        {"case": case, "status": "$status:answer", "bytes": "$body:s"},
        case=case,
    )


EVENT_TEXTS = (
    *(_payload(case, data) for case, data in _DATA),
    _payload("nested_200", _nested("[", "]", 200)),
    _payload("nested_980", _nested("[", "]", 980)),
    _payload("objects_980", _nested('{"a":', "}", 980)),
    _payload("nested_3000", _nested("[", "]", 3_000)),
    _payload("empty_nested_3000", _nested("[", "]", 3_000, "")),
    _payload("empty_nested_30010", _nested("[", "]", 30_010, "")),
    *(_event_scenario("line_ends", case, {"data": data}) for case, data in _LINE_ENDS),
    *(
        _event_scenario("event_names", case, {"name": name, "data": '{"a":1}'})
        for case, name in _NAMES
    ),
)
"""Sends whose event has an odd name or odd data."""
