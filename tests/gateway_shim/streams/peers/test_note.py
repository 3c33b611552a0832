"""Tests of the bytes of notes."""

from __future__ import annotations

import json

import pytest

from gateway_shim.streams.peers.note import Note, Role


@pytest.mark.parametrize(
    "note",
    [
        Note("p-1", Role.TOLD, "connect", {"id": "é\u2028\ud800"}),
        Note("p-1", Role.QUESTION, "list", None, "p-2", "7"),
        Note("p-1", Role.ANSWER, "list", [[1, 2.5]], "p-2", "7"),
        Note("p-1", Role.TOLD_TOGETHER, "", [["a", 1], ["b", None]]),
    ],
)
def test_there_and_back(note: Note) -> None:
    """A note is read as it was written."""
    data = note.encode()
    assert Note.decode(data) == note
    assert data.startswith(Note.begins("p-1"))
    assert not data.startswith(Note.begins("p-11"))
    assert not data.startswith(Note.begins("p-"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"null",
        b'"abcdefg"',
        b"{}",
        b"[]",
        b'[1,"p","t","k",1,null]',
        b'[2,"p","t","k",1,null,""]',
        b'[1,2,"t","k",1,null,""]',
        b'[1,"p","x","k",1,null,""]',
        b'[1,"p","t",null,1,null,""]',
        b'[1,"p","t","k",1,5,""]',
        b'[1,"p","t","k",1,null,null]',
        b'[1,"p","t","k",1,null,"",0]',
        b'[1,"p","t","k",1,null,""',
        b'[1,"p","m","",1,null,""]',
        b'[1,"p","m","",[["k",1],["k"]],null,""]',
        b'[1,"p","m","",[[["k"],1]],null,""]',
        b"[" * 100_000,
        b"id: e-1\ndata: 1\n\n",
    ],
)
def test_damaged(data: bytes) -> None:
    """Bytes that are not a note of this version are none, and never an error."""
    assert Note.decode(data) is None


def test_parts() -> None:
    """Many notes in one are notes of the same sender."""
    one = Note("p", Role.QUESTION, "k", 1)
    assert list(one.parts()) == [one]
    many = Note("p", Role.TOLD_TOGETHER, "", [["a", 1], ["b", 2]])
    assert list(many.parts()) == [Note("p", Role.TOLD, "a", 1), Note("p", Role.TOLD, "b", 2)]


def test_the_form_is_fixed() -> None:
    """Old and new processes of a reload read each other's notes, unless the number differs."""
    note = Note("p-1", Role.ANSWER, "kind", ["data"], "p-2", "name")
    assert json.loads(note.encode()) == [1, "p-1", "a", "kind", ["data"], "p-2", "name"]


@pytest.mark.parametrize("data", [object(), {1: object()}, b"bytes"])
def test_no_json_data(data: object) -> None:
    """Data that is not JSON is refused where it is written."""
    with pytest.raises(TypeError):
        Note("p", Role.TOLD, "k", data).encode()
