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


def arbiter_of(workers: int) -> Any:
    """Return an arbiter's configuration."""
    cfg = SimpleNamespace(uid=os.geteuid(), gid=os.getegid(), workers=workers)
    return SimpleNamespace(cfg=cfg)


ARBITER = arbiter_of(1)


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
    monkeypatch.setattr(log_place, "make_place", lambda *given: asked.append(given) or None)
    prepare_log_place(ARBITER, settings_with(**values))
    assert asked == [(None, size, (os.geteuid(), os.getegid()))]
    assert current_place() is None


def test_several_workers(tmp_path: Path) -> None:
    """The place says how many workers share it, which gunicorn's option decides."""
    settings = settings_with(sse_state_dir=str(tmp_path), web_concurrency=2)
    prepare_log_place(arbiter_of(3), settings)
    assert current_place() == LogPlace(tmp_path, survives_restart=True, workers=3)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"sse_replay": "off"}, "SSE_REPLAY is off: .* use one worker, or set SSE_REPLAY=on"),
        ({"sse_gateway_url": "http://h"}, "SSE_GATEWAY_URL is set: .*, or unset SSE_GATEWAY_URL"),
    ],
)
def test_several_workers_without_a_log(values: dict[str, Any], reason: str) -> None:
    """gunicorn's option is refused as the setting is: workers without a log lose events."""
    refusal = rf"^sse-monolith: the number of workers is 2, but {reason}$"
    with pytest.raises(SystemExit, match=refusal):
        prepare_log_place(arbiter_of(2), settings_with(**values))
    assert current_place() is None


def test_several_workers_without_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several workers cannot go on with a log of their own; one worker can."""
    monkeypatch.setattr(log_place, "make_place", lambda *_: None)
    prepare_log_place(ARBITER, settings_with())
    with pytest.raises(SystemExit, match=r"^sse-monolith: 2 workers need a directory .*/dev/shm"):
        prepare_log_place(arbiter_of(2), settings_with())


def test_a_check_names_the_setting(tmp_path: Path) -> None:
    """A check makes and locks nothing, and refuses what a start would refuse."""
    check_log_place(settings_with())
    check_log_place(settings_with(sse_state_dir=str(tmp_path / "state")))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidSettings, match=r"^SSE_STATE_DIR: there is no directory .*/a; make"):
        check_log_place(settings_with(sse_state_dir=str(tmp_path / "a" / "b")))


def test_redis_without_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server among others cannot go on with a log in its memory, with one worker either."""
    monkeypatch.setattr(log_place, "make_place", lambda *_: None)
    refusal = r"^sse-monolith: a server with SSE_BUS_URL needs a directory .*/dev/shm"
    with pytest.raises(SystemExit, match=refusal):
        prepare_log_place(ARBITER, settings_with(sse_bus_url="redis://h"))
    prepare_log_place(ARBITER, settings_with())
