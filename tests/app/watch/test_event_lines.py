"""Events as lines: for people, for programs, and safe for a terminal."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from app.watch.decoder import ServerEvent
from app.watch.event_lines import Message, escape_unprintable, human_line, json_line, read_message

NOON = time.mktime((2026, 1, 2, 12, 0, 0, 0, 0, -1))


def task_event(kind: str, data: Any) -> Message:
    """Make a message of a task, as the backend sends it."""
    return Message(
        "task_event",
        {
            "event_type": kind,
            "task_id": "0a1b2c3d-4e5f",
            "timestamp": "2026-01-02T12:00:00Z",
            "data": data,
        },
    )


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (Message("version", {"version": "1.2"}), 'version    {"version":"1.2"}'),
        (Message("log", "plain text"), "log        plain text"),
        (Message("ready", ""), "ready"),
        (task_event("task_started", {}), "task_event 0a1b2c3d task_started"),
        (
            task_event("progress_update", {"text": "a.txt", "value": 0.5}),
            "task_event 0a1b2c3d progress_update [##########..........]  50% a.txt",
        ),
        (
            task_event("progress_update", {"text": "almost", "value": 0.9999}),
            "task_event 0a1b2c3d progress_update [###################.]  99% almost",
        ),
        (
            task_event("progress_update", {"text": "", "value": 10**400}),
            "task_event 0a1b2c3d progress_update [####################] 100%",
        ),
        (
            task_event("progress_update", {"text": "odd", "value": "half"}),
            'task_event 0a1b2c3d progress_update {"text":"odd","value":"half"}',
        ),
        (
            task_event("task_completed", {"files": 3, "name": "é"}),
            'task_event 0a1b2c3d task_completed  {"files":3,"name":"é"}',
        ),
        (
            task_event("task_failed", {"error": "no such folder"}),
            "task_event 0a1b2c3d task_failed     no such folder",
        ),
        (task_event("task_cancelled", {}), "task_event 0a1b2c3d task_cancelled"),
        (Message("task_event", {}), "task_event ?        ?"),
        (Message("task_event", ["odd"]), 'task_event ["odd"]'),
    ],
)
def test_human_line(message: Message, line: str) -> None:
    """Each kind of event has its own line."""
    assert human_line(message, NOON) == f"12:00:00 {line}"


def test_long_data_is_cut_for_people_only() -> None:
    """A line for people is shortened and says so; a JSON line is complete."""
    message = Message("log", "x" * 1000)
    assert human_line(message, NOON) == (
        f"12:00:00 log        {'x' * 300}... (1000 characters; --json shows all)"
    )
    assert json.loads(json_line(message, NOON))["data"] == "x" * 1000


def test_json_line() -> None:
    """A line for programs is one JSON object with the decoded data."""
    assert json_line(Message("version", {"version": "é"}, "7"), 1767355200.25) == (
        '{"event": "version", "data": {"version": "\\u00e9"}, "id": "7",'
        ' "time": "2026-01-02T12:00:00.250+00:00"}'
    )
    assert json.loads(json_line(Message("log", "text"), 0.0)) == {
        "event": "log",
        "data": "text",
        "id": None,
        "time": "1970-01-01T00:00:00.000+00:00",
    }


NASTY = "\x1b[2J\x07\r\n\0\x7f\x9b31m\u202e\u2028\ud800"


@pytest.mark.parametrize(
    "message",
    [
        Message("log", NASTY),
        Message(NASTY, {NASTY: NASTY}, NASTY),
        task_event(NASTY, {"error": NASTY}),
        task_event("progress_update", {"text": NASTY, "value": 1}),
        task_event("task_failed", {"error": NASTY}),
        Message("task_event", {"event_type": NASTY, "task_id": NASTY, "data": NASTY}),
    ],
)
def test_no_control_characters(message: Message) -> None:
    """No data from a server can move the cursor, ring the bell or reverse text."""
    assert human_line(message, NOON).isprintable()
    assert json_line(message, NOON).isprintable()
    assert json_line(message, NOON).isascii()


def test_escape_unprintable() -> None:
    """Printable characters stay; all others are escaped as in Python."""
    assert escape_unprintable("naïve 😀") == "naïve 😀"
    assert escape_unprintable("a\tb\x1b\u202e\U000e0001") == "a\\tb\\x1b\\u202e\\U000e0001"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("7", 7),
        ("", ""),
        ("text", "text"),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_data_is_decoded_if_it_is_json(data: str, expected: Any) -> None:
    """JSON is decoded; data that could not be written as JSON again stays text."""
    message = read_message(ServerEvent("e", data, "7"))
    assert message == Message("e", expected, "7")
    json.loads(json_line(message, NOON))


def test_deep_data_can_always_be_shown() -> None:
    """A document of any depth is either decoded and shown, or shown as text."""
    for depth in range(1, 1100):
        message = read_message(ServerEvent("e", "[" * depth + "]" * depth, ""))
        assert human_line(message, NOON).startswith("12:00:00 e ")
        assert json_line(message, NOON).startswith('{"event": "e"')


def test_envelope_is_unwrapped() -> None:
    """An event of the envelope dialect is read as the same event of the named dialect."""
    wrapped = ServerEvent("message", '{"type":"version","payload":{"version":"1"}}', "")
    assert read_message(wrapped) == Message("version", {"version": "1"})
    plain = ServerEvent("message", '{"type":"version"}', "")
    assert read_message(plain).name == "message"
    named = ServerEvent("log", '{"type":"version","payload":1}', "")
    assert read_message(named).name == "log"


def test_envelope_with_more_keys_is_unwrapped() -> None:
    """An envelope with more keys than type and payload is unwrapped, too."""
    data = '{"type":"task_event","payload":{"task_id":"0a1b"},"id":"7"}'
    message = read_message(ServerEvent("message", data, "7"))
    assert message == Message("task_event", {"task_id": "0a1b"}, "7")
    assert message.is_of_task("0a1b")


def test_is_of_task() -> None:
    """A task is found by its ID or by the beginning of its ID."""
    message = task_event("task_started", {})
    assert message.is_of_task("0a1b2c3d-4e5f")
    assert message.is_of_task("0a1b")
    assert not message.is_of_task("1b")
    assert not Message("version", {"task_id": "0a1b"}).is_of_task("0a1b")
    assert not Message("task_event", "0a1b").is_of_task("0a1b")
    assert not Message("task_event", {}).is_of_task("0a1b")
