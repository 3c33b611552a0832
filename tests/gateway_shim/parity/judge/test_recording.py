"""Recordings: reading, writing, and invalid files."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest

from gateway_shim.parity.judge.recording import BadRecording, dialect_of, dump, load
from gateway_shim.parity.scenarios import SCENARIOS


@pytest.mark.parametrize(
    ("name", "dialect"), [("node-2025-11", "named"), ("node-2026-05", "envelope")]
)
def test_the_built_in_recordings_know_their_dialect(name: str, dialect: str) -> None:
    """The dialect is read from the recorded entries."""
    assert (load(name).name, load(name).dialect) == (name, dialect)


def test_each_case_is_an_entry() -> None:
    """Cases become entries by case, path or request; a list of callbacks stays one entry."""
    entries = load("node-2025-11").entries
    assert entries["send_events/lone_cr"]["bytes"] == "data: a\rb\n\n"
    assert entries["connect_paths//readyz?x=1"]["callback_url"] is None
    assert entries["other_methods/POST /nope"]["head"]["status"] == 404
    assert len(entries["connect_forwards_headers"]) == 2
    assert entries["chunk_for_each_event"] == [f"event: n\ndata: {n}\n\n" for n in range(3)]


def test_a_dumped_recording_can_be_loaded(tmp_path: Path) -> None:
    """A dumped recording has all entries, in the form of the given recordings."""
    entries = load("node-2026-05").entries
    file = tmp_path / "copy.json"
    file.write_text(dump(SCENARIOS, entries))
    assert load(str(file)).entries == entries
    given = resources.files("gateway_shim.parity") / "recordings" / "node-2026-05.json"
    written = json.loads(file.read_text())
    for name, value in json.loads(given.read_text("utf-8")).items():
        assert written[name] == value


def test_a_scenario_that_was_not_played_is_not_dumped() -> None:
    """An empty run makes an empty recording, whose dialect is named."""
    assert json.loads(dump(SCENARIOS, {})) == {}
    assert dialect_of({}) == "named"


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not a recording: "), ("[]", "JSON object")]
)
def test_an_invalid_recording_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """An invalid file raises an error with a message."""
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(BadRecording, match=message):
        load(str(file))


def test_an_unknown_name_lists_the_known_ones() -> None:
    """The message lists the recordings that exist."""
    with pytest.raises(BadRecording, match="one of: node-2025-11, node-2026-05"):
        load("node-1999")
