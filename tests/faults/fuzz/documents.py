"""Documents for the fuzz tests of the callback and the tasks API: JSON that is large or damaged."""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import strategies as st

__all__ = ["CALLBACKS", "FULL", "LARGE", "NUMBERS", "TASKS", "TEXTS", "bodies"]

FULL = 100_000
"""The size of the largest documents in bytes, just under the limit."""

NUMBERS = st.sampled_from(
    [
        *("0", "-0", "1e999", "-1e999", "1e-999", "NaN", "Infinity", "1.0", "01", "0x1", "true"),
        *("9" * 5000, "1" + "0" * 400, "18446744073709551616", "0." + "3" * 2000, "null"),
    ]
)
TEXTS = st.one_of(
    st.sampled_from(
        [
            *("", "demo_task", "failing_task", "connect", "disconnect", "a:b", "\ud800", "\0"),
            *("x" * 5000, "\r\nX: y", "/api/sse/stream?request_id=me", "client_closed", "\u2028"),
        ]
    ),
    st.text(max_size=20),
).map(json.dumps)
KEYS = st.one_of(
    st.sampled_from(
        [
            *("task_type", "params", "steps", "delay", "action", "token", "request", "url", ""),
            *("headers", "reason", "event", "name", "data", "self", "progress_handle", "task"),
        ]
    ).map(json.dumps),
    TEXTS,
)
VALUES: st.SearchStrategy[str] = st.recursive(
    st.one_of(NUMBERS, TEXTS, st.sampled_from(["{}", "[]", "[[]]"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda parts: f"[{','.join(parts)}]"),
        st.lists(st.tuples(KEYS, inner), max_size=4).map(
            lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=12,
)


def many(member: Callable[[int], str], size: int = FULL) -> str:
    """Return as many members as fit into ``size`` bytes, joined with commas."""
    parts, length, number = [], 0, 0
    while length < size:
        parts.append(member(number))
        length += len(parts[-1]) + 1
        number += 1
    return ",".join(parts[:-1])


LARGE = [
    "{" + many(lambda number: f'"{number:x}":0') + "}",
    "{" + many(lambda number: '"steps":0') + "}",
    "{" + many(lambda number: f'"{number:x}":[[]]') + "}",
    "[" + many(lambda number: "0") + "]",
    "[" * FULL,
    "[" * (FULL // 2) + "]" * (FULL // 2),
    '{"a":' * (FULL // 6),
    "9" * FULL,
    "1" + "." + "9" * FULL,
    "[" + many(lambda number: "1" * 4000) + "]",
    json.dumps("\ud800" * (FULL // 6)),
    json.dumps("x" * FULL),
    "{" + json.dumps("k" * FULL) + ":0}",
]

CALLBACKS = [
    '{"action":"connect","token":"t","request":{"url":"/api/sse/stream?request_id=a","headers":@}}',
    '{"action":"disconnect","reason":"error","token":"t","request":{"url":"/","headers":@}}',
    '{"action":"connect","token":@,"request":{"url":"/","headers":{}}}',
    '{"action":"connect","token":"t","request":{"url":@}}',
    '{"action":"connect","token":"t","request":@}',
    '{"action":@}',
    "@",
]
TASKS = [
    '{"task_type":"demo_task","params":@}',
    '{"task_type":"failing_task","params":@}',
    '{"task_type":"demo_task","params":{"steps":1,"delay":@}}',
    '{"task_type":@}',
    '{"task_type":"demo_task","params":{"steps":1,"delay":0},"more":@}',
    "@",
]


def bodies(frames: list[str]) -> st.SearchStrategy[bytes]:
    """Return a strategy for request bodies: documents in one of these frames, whole or damaged."""
    whole = st.builds(
        lambda frame, value: frame.replace("@", value).encode(),
        st.sampled_from(frames),
        st.one_of(VALUES, st.sampled_from(LARGE)),
    )
    damaged = st.builds(
        lambda body, at, byte: (
            body[: at % (len(body) + 1)] + byte + body[at % (len(body) + 1) :][1:]
        ),
        whole,
        st.integers(0, 200),
        st.one_of(st.binary(max_size=3), st.sampled_from([b"\xef\xbb\xbf", b"\xff\xfe", b"\0"])),
    )
    return st.one_of(whole, damaged, st.binary(max_size=50))
