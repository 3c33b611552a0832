"""Tests of the directory of the event log, as the settings ask for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.config import InvalidSettings, Settings
from app.serving import log_place
from app.serving.log_place import check_log_place, prepare_log_place
from gateway_shim.event_log.places.place import LogPlace, current_place, set_place

ARBITER: Any = SimpleNamespace(cfg=SimpleNamespace(uid=os.geteuid(), gid=os.getegid()))


@pytest.fixture(autouse=True)
def _forget_the_place() -> Iterator[None]:
    yield
    set_place(None)


def settings_with(**values: Any) -> Settings:
    """Return settings."""
    return Settings(_env_file=None, **values)


def test_the_workers_get_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is absolute, because a task may change the working directory."""
    monkeypatch.chdir(tmp_path)
    prepare_log_place(ARBITER, settings_with(sse_state_dir="state"))
    assert current_place() == LogPlace(tmp_path / "state", survives_restart=True)


def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """The message names the setting and the process of the other server."""
    settings = settings_with(sse_state_dir=str(tmp_path))
    prepare_log_place(ARBITER, settings)
    with pytest.raises(SystemExit) as caught:
        prepare_log_place(ARBITER, settings)
    assert caught.value.code == (
        f"sse-monolith: SSE_STATE_DIR: {tmp_path} is used by the server with process id"
        f" {os.getpid()}; stop that server, or give this one another directory"
    )


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({}, 32 * 1024 * 1024),
        ({"sse_replay_bytes": 1024 * 1024}, 1024 * 1024),
        ({"sse_replay": "off"}, 0),
        ({"sse_gateway_url": "http://h"}, 0),
    ],
)
def test_the_space_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], size: int
) -> None:
    """Without a replay the directory holds the tasks only, and needs no space for a log."""
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(log_place, "make_place", lambda *given: asked.append(given))
    prepare_log_place(ARBITER, settings_with(**values))
    assert asked == [(None, size, (os.geteuid(), os.getegid()))]
    assert current_place() is None


def test_a_check_names_the_setting(tmp_path: Path) -> None:
    """A check makes and locks nothing, and refuses what a start would refuse."""
    check_log_place(settings_with())
    check_log_place(settings_with(sse_state_dir=str(tmp_path / "state")))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidSettings, match=r"^SSE_STATE_DIR: there is no directory .*/a; make"):
        check_log_place(settings_with(sse_state_dir=str(tmp_path / "a" / "b")))
