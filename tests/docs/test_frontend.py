"""docs/frontend.md and docs/events.md: their JSON, tables and links are right.

tests/browser/snippets runs the pages and scripts of docs/frontend.md.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from app.schemas.task_schema import TaskEvent, TaskEventType
from app.watch.event_lines import Message
from gateway_shim.streams.replay.marks import Resync
from tests.browser.clients.catalog import CLIENTS, Outcome
from tests.support.processes.server import ROOT

TEXT = (ROOT / "docs" / "frontend.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
TYPES = (ROOT / "gateway_shim" / "static" / "sse-client.d.ts").read_text(encoding="utf-8")
DOCUMENTS: list[Any] = [
    json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", REFERENCE, re.M | re.S)
]

ROWS = {
    "eventsource-native": "native `EventSource`, eventsource 5",
    "eventsource-package": "native `EventSource`, eventsource 5",
    "reconnecting-eventsource": "reconnecting-eventsource 1.6",
    "fetch-event-source": "@microsoft/fetch-event-source 2.0",
    "htmx-2": "htmx 2 with its SSE extension",
    "htmx-4": "htmx 4 (`hx-sse:connect`)",
    "shared-worker": "a SharedWorker that opens a new `EventSource` after each error",
}
"""The row of docs/events.md for each page of other people's clients."""


def members(interface: str) -> set[str]:
    """Return the names of an interface of the client's types."""
    body = TYPES.partition(f"interface {interface} {{\n")[2].partition("\n}\n")[0]
    return set(re.findall(r"^  (?:readonly )?(\w+)\??[:(]", body, re.M))


def named_in_rows(first_cell: str) -> set[str]:
    """Return the names in the first column of a table of docs/frontend.md."""
    table = re.search(rf"^\| {first_cell} .*\n((?:\|.*\n)+)", TEXT, re.M)
    assert table, first_cell
    cells = re.findall(r"^\| (`.*?) \|", table[1], re.M)
    return {name for cell in cells for name in re.findall(r"`(\w+)", cell)}


def test_task_events() -> None:
    """The page has an example of each type of task event, as the backend writes it."""
    events = [document for document in DOCUMENTS if "event_type" in document]
    for event in events:
        parsed = TaskEvent.model_validate(event)
        exclude = None if parsed.omitted else {"omitted"}
        assert parsed.model_dump(mode="json", exclude=exclude).keys() == event.keys()
        assert Message("task_event", event).is_of_task("d846191f")
    assert {event["event_type"] for event in events} == {str(kind) for kind in TaskEventType}


def test_other_events() -> None:
    """All other examples belong to the three other events."""
    others = [document for document in DOCUMENTS if "event_type" not in document]
    assert [sorted(document) for document in others] == [
        ["version"],
        ["changelog", "version"],
        ["error", "version"],
        ["reason"],
        ["reason"],
    ]


def test_reasons_of_resync() -> None:
    """The page explains each reason of ``resync``, the client's own one, and no others."""
    assert named_in_rows("`reason` of `resync`") == {*map(str, Resync), "no_ids"}


def test_the_connection() -> None:
    """The page explains each option of ``connect`` and each member of a connection."""
    assert named_in_rows("option of `connect`") == members("Options")
    assert named_in_rows("what") == {"connect", *members("Connection")}


def test_states() -> None:
    """The page explains each state of the stream."""
    (line,) = re.findall(r"^export type State = (.*);$", TYPES, re.M)
    assert named_in_rows("state") == set(re.findall(r'"(\w+)"', line))


def test_other_clients() -> None:
    """The table of clients says what the tests of tests/browser/clients have found."""
    words = {Outcome.EVERYTHING: "all", Outcome.SKIPS: "skips", Outcome.STOPS: "stops"}
    rows = dict(re.findall(r"^\| (.+?) \| ((?:all|skips|stops)(?: \| \w+){2}) \|", REFERENCE, re.M))
    found = {
        client.page: " | ".join(
            words[client.after(fault)] for fault in ("reload", "restart", "cut")
        )
        for client in CLIENTS
        if client.page in ROWS
    }
    assert found == {page: rows[row] for page, row in ROWS.items()}


@pytest.mark.parametrize("text", [TEXT, REFERENCE], ids=["frontend", "events"])
def test_links(text: str) -> None:
    """The table of contents has an entry for each heading, and no others."""
    headings = [
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", text, re.M)
    ]
    assert re.findall(r"^- \[.*\]\(#(.*)\)$", text, re.M) == headings


def test_every_script_has_a_name() -> None:
    """Every page and script has a name in its first line, so that a test runs it."""
    blocks = re.findall(r"^```(?:js|javascript|html|jsx|ts)\n(.*)$", TEXT, re.M)
    assert [line for line in blocks if not re.match(r"// \S+$|<!-- \S+ -->$", line)] == []
    assert "```js\n" not in REFERENCE


def test_the_page_is_short() -> None:
    """The page has at most 450 lines."""
    assert len(TEXT.splitlines()) <= 450
