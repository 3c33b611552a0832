"""Recordings: reading them, writing them, and what is none."""

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
    """It is read off what was recorded."""
    assert (load(name).name, load(name).dialect) == (name, dialect)


def test_cases_are_entries_of_their_own() -> None:
    """By case, by path and by request; a list of callbacks stays one entry."""
    entries = load("node-2025-11").entries
    assert entries["send_events/lone_cr"]["bytes"] == "data: a\rb\n\n"
    assert entries["connect_paths//readyz?x=1"]["callback_url"] is None
    assert entries["other_methods/POST /nope"]["head"]["status"] == 404
    assert len(entries["connect_forwards_headers"]) == 2
    assert entries["chunk_for_each_event"] == [f"event: n\ndata: {n}\n\n" for n in range(3)]


def test_what_is_dumped_can_be_loaded(tmp_path: Path) -> None:
    """Nothing is lost, and the given recordings' own shape comes out."""
    entries = load("node-2026-05").entries
    file = tmp_path / "copy.json"
    file.write_text(dump(SCENARIOS, entries))
    assert load(str(file)).entries == entries
    given = resources.files("gateway_shim.parity") / "recordings" / "node-2026-05.json"
    written = json.loads(file.read_text())
    for name, value in json.loads(given.read_text("utf-8")).items():
        assert written[name] == value


def test_what_was_not_played_is_not_dumped() -> None:
    """An empty run makes an empty recording, which counts as named."""
    assert json.loads(dump(SCENARIOS, {})) == {}
    assert dialect_of({}) == "named"


@pytest.mark.parametrize(("text", "message"), [("{", "no recording: "), ("[]", "JSON object")])
def test_what_is_no_recording_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """With a sentence, not a traceback."""
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(BadRecording, match=message):
        load(str(file))


def test_an_unknown_name_lists_the_known_ones() -> None:
    """So that one can choose."""
    with pytest.raises(BadRecording, match="there are node-2025-11, node-2026-05"):
        load("node-1999")
