"""Tests of the gunicorn options that would lose events."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config

from gateway_shim.event_log.places import place as places
from gateway_shim.event_log.places.place import LogPlace
from gateway_shim.server.refused_options import (
    FIXED_NUMBER,
    ONE_WORKER,
    check_worker_class,
    refused_options,
)
from gateway_shim.server.worker import StreamWorker

STREAM_WORKER = "gateway_shim.server.worker.StreamWorker"


def configuration(**options: Any) -> Config:
    """Return gunicorn's configuration with options."""
    config = Config()
    config.set("worker_class", STREAM_WORKER)
    for name, value in options.items():
        config.set(name, value)
    return config


def test_accepted_options() -> None:
    """One worker of our class is accepted, with gunicorn's defaults for all other options."""
    assert list(refused_options(configuration(workers=1))) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 2}, f"--workers 2: {ONE_WORKER}"),
        ({"workers": 0}, "--workers 0: the number of workers must be from 1 to 64"),
        ({"workers": 10_000}, "--workers 10000: the number of workers must be from 1 to 64"),
        ({"workers": 1, "keepalive": 0}, "--keep-alive 0: .*use at least 1 .*"),
        ({"workers": 1, "max_requests": 5}, "--max-requests 5: .*leave it at 0"),
        ({"workers": 1, "preload_app": True}, "--preload: .*remove the option"),
        ({"workers": 1, "worker_class": "gevent"}, "--worker-class gevent: .*remove the option"),
        ({"workers": 1, "worker_class": "sync"}, "--worker-class sync: .*remove the option"),
    ],
)
def test_refused_options(options: dict[str, Any], message: str) -> None:
    """The message names the option, and the safe value is accepted."""
    config = configuration(**options)
    (refused,) = refused_options(config)
    assert re.fullmatch(message, refused.message)
    config.set(refused.name, refused.safe_value)
    assert list(refused_options(config)) == []


def test_workers_that_share_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of workers for which a log was made is accepted, and no other number."""
    place = LogPlace(Path("unused"), survives_restart=False, workers=3)
    monkeypatch.setattr(places, "_place", place)
    assert list(refused_options(configuration(workers=3))) == []
    for number in (1, 2, 4):
        (refused,) = refused_options(configuration(workers=number))
        assert refused.message == f"--workers {number}: {FIXED_NUMBER}"
        assert refused.safe_value == 3


def test_a_derived_worker_class() -> None:
    """A class that derives from ours is accepted; other options are not checked with the class."""
    own = type("OwnWorker", (StreamWorker,), {})
    assert list(refused_options(configuration(workers=1, worker_class=own))) == []
    check_worker_class(configuration(workers=2))


def test_a_worker_that_cannot_hold_streams() -> None:
    """Another worker class is refused at the start, because it would not check the options."""
    refusal = r"^sse-monolith: --worker-class gthread: .*remove the option$"
    with pytest.raises(SystemExit, match=refusal):
        check_worker_class(configuration(worker_class="sync", threads=4))
