"""Tests of parcels: what is too large for an entry of the log."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.parcels import FileParcels, NoParcels


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_put_and_take(tmp_path: Path, size: int) -> None:
    """Another process takes a parcel once, and nothing is left. Only the user can read it."""
    data = os.urandom(size)
    name = FileParcels(tmp_path).put(data)
    (path,) = (tmp_path / "parcels").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    other = FileParcels(tmp_path)
    assert other.take(name) == data
    assert other.take(name) is None
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "../head", "a" * 31, "A" * 32, "0" * 32 + "\n"])
def test_other_names(tmp_path: Path, name: str) -> None:
    """A name that no parcel has is refused, so no other file is ever read or removed."""
    (tmp_path / "head").write_text("kept")
    parcels = FileParcels(tmp_path)
    parcels.put(b"1")
    assert parcels.take(name) is None
    assert (tmp_path / "head").read_text() == "kept"


def test_a_link_in_the_place_of_a_parcel(tmp_path: Path) -> None:
    """Links are not followed."""
    parcels = FileParcels(tmp_path)
    name = parcels.put(b"1")
    path = tmp_path / "parcels" / name
    path.unlink()
    path.symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    assert parcels.take(name) is None


def test_sweep(tmp_path: Path) -> None:
    """Parcels that this process has seen for a minute are removed; others stay."""
    now = 0.0
    parcels = FileParcels(tmp_path, lambda: now)
    parcels.sweep()
    left_behind = parcels.put(b"by a process that has ended")
    parcels = FileParcels(tmp_path, lambda: now)
    other = tmp_path / "parcels" / "other"
    other.touch()
    os.utime(tmp_path / "parcels" / left_behind, (0, 0))  # the clock of files may be set
    now = 60.0
    new = parcels.put(b"new")
    parcels.sweep()
    assert sorted(path.name for path in other.parent.iterdir()) == sorted(
        [left_behind, new, "other"]
    )
    now = 61.0
    parcels.sweep()
    assert sorted(path.name for path in other.parent.iterdir()) == sorted([new, "other"])
    assert parcels.take(new) == b"new"


def test_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parcel that does not fit is refused, and leaves no file."""
    parcels = FileParcels(tmp_path)
    parcels.put(b"1")

    class Full:
        def __init__(self, descriptor: int, *_: object, **__: object) -> None:
            self._descriptor = descriptor

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            os.close(self._descriptor)

        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("builtins.open", Full)
    with pytest.raises(LogUnavailable, match=r"cannot write 7 bytes to .*parcels: No space left"):
        parcels.put(b"too big")
    monkeypatch.undo()
    assert len(list((tmp_path / "parcels").iterdir())) == 1


def test_no_directory(tmp_path: Path) -> None:
    """A directory that was removed is an error that says so; made again, it works again."""
    parcels = FileParcels(tmp_path / "log")
    with pytest.raises(LogUnavailable, match="cannot write"):
        parcels.put(b"1")
    (tmp_path / "log").mkdir()
    assert parcels.take(parcels.put(b"1")) == b"1"


def test_nobody_takes_parcels() -> None:
    """A process that is alone has no place for parcels."""
    none = NoParcels()
    with pytest.raises(LogUnavailable):
        none.put(b"1")
    assert none.take("1") is None
    none.sweep()
