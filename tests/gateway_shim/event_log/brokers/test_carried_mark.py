"""Tests of the tag that a carrier leaves for the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway_shim.event_log.brokers.carried_mark import Carried, CarriedMark


def opened(directory: Path) -> CarriedMark:
    """Return the mark as the next carrier finds it."""
    mark = CarriedMark(directory)
    mark.open()
    return mark


def test_the_next_carrier_reads_what_was_written_last(tmp_path: Path) -> None:
    """Also if it is shorter than what was written before."""
    mark = opened(tmp_path)
    assert mark.last is None
    mark.write(Carried("e" * 10, 10**15, "0123456789abcdef:1000000:127"))
    mark.write(Carried("e", 12, "p:1:0"))
    assert mark.last == Carried("e", 12, "p:1:0")
    mark.close()
    assert mark.last is None
    assert opened(tmp_path).last == Carried("e", 12, "p:1:0")


@pytest.mark.parametrize("data", [b"", b"e 12", b"e x t .", b"e 12 t", b"\xff\x00", b"e 12 t . ."])
def test_a_damaged_file(tmp_path: Path, data: bytes) -> None:
    """The tag is unknown then; the next write mends the file."""
    (tmp_path / "carried").write_bytes(data)
    mark = opened(tmp_path)
    assert mark.last is None
    mark.write(Carried("e", 12, "t"))
    mark.close()
    assert opened(tmp_path).last == Carried("e", 12, "t")


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    """The carrier hears of it."""
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "gone")
