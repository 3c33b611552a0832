"""Tests of the name of a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.brokers import server_name as module
from gateway_shim.event_log.brokers.server_name import server_name


def test_one_name_for_each_directory(tmp_path: Path) -> None:
    """All processes of a server have the same name, and no other server has it."""
    (tmp_path / "other").mkdir()
    name = server_name(tmp_path)
    assert server_name(tmp_path) == name
    assert server_name(tmp_path / "other") != name
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["server"]


def test_the_copy_of_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the same file and another boot; where boots have no names, the file decides."""
    (tmp_path / "log").mkdir()
    name = server_name(tmp_path / "log")
    monkeypatch.setattr(module, "_BOOT_ID", tmp_path / "boot")
    plain = server_name(tmp_path / "log")
    (tmp_path / "boot").write_text("01234567-89ab")
    assert server_name(tmp_path / "log") == f"{plain}.01234567"
    assert name.startswith(plain)


def test_a_process_that_is_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that start together, both take the name of the first one."""
    (tmp_path / "server").write_text("0123456789ab")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert server_name(tmp_path).startswith("0123456789ab")


def test_a_damaged_file(tmp_path: Path) -> None:
    """It is not guessed."""
    (tmp_path / "server").write_text("0123\n")
    with pytest.raises(LogUnavailable, match="damaged; remove it"):
        server_name(tmp_path)


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    """The error says what to do."""
    with pytest.raises(LogUnavailable, match="cannot use"):
        server_name(tmp_path / "gone")
