"""Tests of the log in files when its files are not what was written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments.layout import SEGMENT_HEAD_BYTES, WORDS_AT
from gateway_shim.event_log.segments.segment_log import SegmentLog
from tests.gateway_shim.event_log.recorder import Recorder, event, everything

Files = dict[str, bytes]
Entries = list[tuple[int, str | None, bytes]]

LIMITS = LogLimits(3200)
EMPTY: Entries = [(0, None, b"")]


def open_log(directory: Path) -> SegmentLog:
    """Open the log of a directory."""
    return SegmentLog(directory, LIMITS, signature="s")


def appended(directory: Path) -> SegmentLog:
    """Return a log with 30 events, some of which are addressed."""
    log = open_log(directory)
    for number in range(1, 31):
        log.append(EVERYONE if number % 3 else "r:a", event(number, number * 7 % 90))
    return log


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Entries, str]:
    """Return the files of a log, its entries and its epoch."""
    directory = tmp_path_factory.mktemp("whole") / "log"
    log = appended(directory)
    entries = everything(log)
    log.close()
    files = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    return files, entries, log.epoch


@contextmanager
def folder(files: Files) -> Iterator[Path]:
    """Return a directory with some files."""
    directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        for name, data in files.items():
            (directory / name).write_bytes(data)
        yield directory
    finally:
        shutil.rmtree(directory)


def check(files: Files, whole: tuple[Files, Entries, str]) -> bool:
    """Check that a log is the whole one, a new one, or refused; return True if it is the whole one.

    In the first two cases it can be appended to and opened again.
    """
    _, entries, epoch = whole
    with folder(files) as directory:
        try:
            log = open_log(directory)
        except LogUnavailable:
            return False
        expected = entries if log.epoch == epoch else EMPTY
        assert everything(log) == expected
        log.append(EVERYONE, event(0, 50))
        log.close()
        again = open_log(directory)
        assert again.epoch == log.epoch
        assert everything(again)[:-1] == expected[again.oldest - expected[0][0] :]
        again.close()
        return expected is entries


def test_whole(whole: tuple[Files, Entries, str]) -> None:
    """The files as they are make the whole log."""
    assert check(whole[0], whole)


@settings(max_examples=150)
@given(data=st.data(), change=st.integers(1, 255))
def test_changed_byte(whole: tuple[Files, Entries, str], data: st.DataObject, change: int) -> None:
    """A byte that has changed leaves the whole log or a new one, never a wrong entry."""
    name = data.draw(st.sampled_from([*sorted(whole[0]), "head"]).filter(lambda one: whole[0][one]))
    old = whole[0][name]
    place = data.draw(st.integers(0, len(old) - 1))
    if name == "head":
        place = data.draw(st.sampled_from([place, place % 112, WORDS_AT + place % 24]))
    new = bytearray(old)
    new[place] ^= change
    is_whole = check({**whole[0], name: bytes(new)}, whole)
    if name == "head" and (place < 104 or WORDS_AT <= place < WORDS_AT + 24):
        assert not is_whole


@settings(max_examples=60)
@given(data=st.data())
def test_cut_file(whole: tuple[Files, Entries, str], data: st.DataObject) -> None:
    """A file that was cut, has grown or is missing leaves a new log, or the lock as it was."""
    name = data.draw(st.sampled_from(sorted(whole[0])))
    old = whole[0][name]
    size = data.draw(st.integers(0, len(old) + 10))
    files = {**whole[0], name: old[:size].ljust(size, b"\0")}
    if data.draw(st.booleans()):
        del files[name]
    assert check(files, whole) == (name == "lock" or files.get(name) == old)


@settings(max_examples=60)
@given(data=st.data())
def test_overwritten_range(whole: tuple[Files, Entries, str], data: st.DataObject) -> None:
    """Bytes of another place, zeros or garbage in the middle of a file are found."""
    name = data.draw(st.sampled_from(sorted(whole[0])))
    old = bytearray(whole[0][name])
    start = data.draw(st.integers(0, len(old)))
    other = whole[0][data.draw(st.sampled_from(sorted(whole[0])))]
    piece = data.draw(
        st.one_of(
            st.binary(max_size=200),
            st.integers(0, 600).map(bytes),
            st.integers(0, len(other)).map(lambda at: other[at : at + 300]),
        )
    )
    old[start : start + len(piece)] = piece[: len(old) - start]
    check({**whole[0], name: bytes(old)}, whole)


@settings(max_examples=30)
@given(data=st.data())
def test_exchanged_files(whole: tuple[Files, Entries, str], data: st.DataObject) -> None:
    """Files under each other's names make a new log, or are refused."""
    first, second = data.draw(st.tuples(*[st.sampled_from(sorted(whole[0]))] * 2))
    files = {**whole[0], first: whole[0][second], second: whole[0][first]}
    check(files, whole)


@settings(max_examples=50)
@example(data=b"")
@example(data=b"SSE-LOG\n")
@given(data=st.binary(max_size=5000))
def test_garbage(whole: tuple[Files, Entries, str], data: bytes) -> None:
    """Garbage in the place of the head is a new log, or is refused."""
    assert not check({**whole[0], "head": data}, whole)
    assert not check({"head": data}, whole)


@settings(max_examples=40)
@given(data=st.data())
def test_changed_while_it_is_used(data: st.DataObject) -> None:
    """A byte that changes under a process that reads: right entries up to there, or a new log."""
    with folder({}) as directory:
        first, second = open_log(directory / "log"), open_log(directory / "log")
        for number in range(1, 6):
            first.append(EVERYONE, event(number, 20))
        expected = everything(first)
        path = data.draw(st.sampled_from(sorted((directory / "log").glob("*[dt]"))))
        with path.open("r+b") as file:
            size = len(file.read())
            place = data.draw(st.integers(0, size - 1))
            if path.name == "head":
                place = data.draw(st.sampled_from([place, WORDS_AT + place % 32]))
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ data.draw(st.integers(1, 255))]))
        epoch = second.epoch
        run = second.run(0, (), 10**6)
        assert run is not None
        frames = b"".join(frame for _, _, frame in expected)
        assert run.segment is None or frames.startswith(bytes(run.data))
        read = second.read(0, 10)
        if second.epoch == epoch:
            assert read is not None
            found = [(entry.position, entry.audience, bytes(entry.frame)) for entry in read]
            assert found == expected[1 : second.newest + 1]
            # A damaged position of the oldest entry is found after that, for the next read.
            read = second.read(0, 10)
        if second.epoch == epoch:
            assert everything(second) == expected[: second.newest + 1]
        else:
            assert read is None
            assert everything(second) == EMPTY
        for log in (first, second):
            log.close()


def test_any_byte_of_a_frame_in_use(tmp_path: Path) -> None:
    """A process that uses the log sends no changed byte to a stream, and begins a new epoch."""
    log = appended(tmp_path / "log")
    recorder = Recorder(log)
    log.listen(recorder)
    run = log.run(log.oldest, ("r:a",), 300)
    assert run is not None
    assert run.segment is not None
    before, calls, damaged = bytes(run.data), recorder.calls, 0
    path = next(tmp_path.glob(f"log/*{run.segment.first:020}.segment"))
    with path.open("r+b", buffering=0) as file:
        for offset in range(SEGMENT_HEAD_BYTES + run.start, SEGMENT_HEAD_BYTES + run.segment.size):
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 1]))
            again = log.run(log.oldest, ("r:a",), 300)
            assert again is None or bytes(again.data) == before
            damaged += again is None
            file.seek(offset)
            file.write(byte)
        assert damaged == len(before)
        assert recorder.calls > calls
        file.seek(SEGMENT_HEAD_BYTES + run.start)
        file.write(b"?")
    epoch = log.epoch
    assert log.run(log.oldest, ("r:a",), 300) is None
    assert log.read(log.newest, 1) is None
    assert log.epoch != epoch
    log.close()
