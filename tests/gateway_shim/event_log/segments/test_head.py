"""Tests of the file ``head``."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway_shim.errors import LogDamaged, LogUnavailable
from gateway_shim.event_log.segments.head import Head
from gateway_shim.event_log.segments.layout import HEAD_BYTES, WORDS_AT, Identity

IDENTITY = Identity("abc", "signature", "boot")


def test_begin(tmp_path: Path) -> None:
    """A new head has the begin entry; another process sees each change at once."""
    head = Head.begin(tmp_path, IDENTITY)
    other = Head.open(tmp_path, IDENTITY)
    assert (other.epoch, other.oldest, other.newest_in(other.word)) == ("abc", 0, 0)
    assert head.commit(17) == other.word
    head.oldest = 5
    assert (other.oldest, other.newest_in(other.word)) == (5, 17)
    assert [path.name for path in tmp_path.iterdir()] == ["head"]


def test_members(tmp_path: Path) -> None:
    """The number of the members changes when told to."""
    head = Head.begin(tmp_path, IDENTITY)
    other = Head.open(tmp_path, IDENTITY)
    before = other.members
    head.change_members()
    assert other.members != before


def test_new_epoch(tmp_path: Path) -> None:
    """The users of the old head see that its epoch has ended, and that another head is in place."""
    old = Head.begin(tmp_path, IDENTITY)
    assert old.is_in_place(tmp_path)
    assert not old.has_ended
    new = Head.begin(tmp_path, IDENTITY._replace(epoch="def"))
    assert old.has_ended
    assert not old.is_in_place(tmp_path)
    assert not new.has_ended
    assert Head.open(tmp_path, IDENTITY).epoch == "def"


def test_half_new_epoch(tmp_path: Path) -> None:
    """A head whose epoch has ended without a new one cannot be continued."""
    Head.begin(tmp_path, IDENTITY)
    data = bytearray((tmp_path / "head").read_bytes())
    data[WORDS_AT + 16] = 1
    (tmp_path / "head").write_bytes(data)
    with pytest.raises(LogDamaged, match="not finished"):
        Head.open(tmp_path, IDENTITY)


def test_leftover(tmp_path: Path) -> None:
    """A head that a killed process has not finished is in nobody's way."""
    (tmp_path / "head.new").write_bytes(b"x")
    (tmp_path / "head").write_bytes(b"")
    Head.begin(tmp_path, IDENTITY)
    assert [path.name for path in tmp_path.iterdir()] == ["head"]


def test_missing(tmp_path: Path) -> None:
    """A missing head is told apart."""
    with pytest.raises(FileNotFoundError):
        Head.open(tmp_path, IDENTITY)


@pytest.mark.parametrize("word", [0, 1])
def test_damaged_words(word: int, tmp_path: Path) -> None:
    """A damaged position is found when it is read."""
    Head.begin(tmp_path, IDENTITY)
    data = bytearray((tmp_path / "head").read_bytes())
    data[WORDS_AT + 8 * word + 3] ^= 64
    (tmp_path / "head").write_bytes(data)
    head = Head.open(tmp_path, IDENTITY)
    with pytest.raises(LogDamaged, match="head is damaged"):
        assert head.oldest + head.newest_in(head.word) < 0


def test_foreign_file(tmp_path: Path) -> None:
    """A file of somebody else is not taken for a damaged head, and stays."""
    (tmp_path / "head").write_text("my notes")
    with pytest.raises(LogUnavailable, match="head is not a file of the log; remove it"):
        Head.open(tmp_path, IDENTITY)
    (tmp_path / "head").write_bytes(b"?" * HEAD_BYTES)
    with pytest.raises(LogDamaged):
        Head.open(tmp_path, IDENTITY)
