"""The redis-server of the bench."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from redis import Redis

from app.bench.errors import BenchFailed
from app.bench.measured import redis_server
from app.bench.measured.redis_server import MeasuredRedis, redis_problem


@pytest.mark.needs("redis")
def test_redis() -> None:
    """The server answers, keeps an append-only file of its own, and is gone after an error."""
    with contextlib.suppress(KeyboardInterrupt), MeasuredRedis() as server:
        pid = server.pid
        url = server.settings["SSE_BUS_URL"]
        with contextlib.closing(Redis.from_url(url, decode_responses=True)) as client:
            options = client.config_get("appendonly", "appendfsync", "save", "dir", "bind")
            folder = Path(options.pop("dir"))
            assert options == {
                "appendonly": "yes",
                "appendfsync": "everysec",
                "save": "",
                "bind": "127.0.0.1",
            }
            assert folder != Path.cwd()
            assert (folder / "appendonlydir").is_dir()
        raise KeyboardInterrupt
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.needs("redis")
def test_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends is shown with its last lines."""
    monkeypatch.setattr(redis_server, "free_port", lambda: -1)
    with pytest.raises(BenchFailed, match=r"ended with status 1\n"):
        MeasuredRedis().__enter__()


def test_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing server is named, and a missing package with the command that installs it."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert redis_problem() == (
        "there is no redis-server in PATH; install one, such as the package redis-server"
    )
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert redis_problem() is None
    monkeypatch.setattr(redis_server, "find_spec", lambda name: None)
    assert redis_problem() == (
        "the package redis is not installed; run: pip install 'sse-monolith[redis]'"
    )
