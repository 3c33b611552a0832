"""Gunicorn options that would lose events."""

from __future__ import annotations

import re
from typing import Any

import pytest
from gunicorn.config import Config

from gateway_shim.server.refused_options import ONE_WORKER, check_worker_class, refused_options
from gateway_shim.server.worker import StreamWorker

STREAM_WORKER = "gateway_shim.server.worker.StreamWorker"


def configuration(**options: Any) -> Config:
    """gunicorn's configuration with these options."""
    config = Config()
    config.set("worker_class", STREAM_WORKER)
    for name, value in options.items():
        config.set(name, value)
    return config


def test_what_is_accepted() -> None:
    """One worker that lives as long as the server and makes its application itself."""
    assert list(refused_options(configuration(workers=1))) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 2}, f"--workers 2: {ONE_WORKER}"),
        ({"workers": 1, "keepalive": 0}, "--keep-alive 0: .*use at least 1 .*"),
        ({"workers": 1, "max_requests": 5}, "--max-requests 5: .*leave it at 0"),
        ({"workers": 1, "preload_app": True}, "--preload: .*leave it out"),
        ({"workers": 1, "worker_class": "gevent"}, "--worker-class gevent: .*leave it out"),
        ({"workers": 1, "worker_class": "sync"}, "--worker-class sync: .*leave it out"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str) -> None:
    """The message names the option; with the safe value it is accepted."""
    config = configuration(**options)
    (refused,) = refused_options(config)
    assert re.fullmatch(message, refused.message)
    config.set(refused.name, refused.safe_value)
    assert list(refused_options(config)) == []


def test_a_worker_of_ones_own() -> None:
    """It may derive from ours; the others' other options are not looked at before gunicorn asks."""
    own = type("OwnWorker", (StreamWorker,), {})
    assert list(refused_options(configuration(workers=1, worker_class=own))) == []
    check_worker_class(configuration(workers=2))


def test_a_worker_that_cannot_hold_streams() -> None:
    """gunicorn asks our class only, so the start asks for the class itself."""
    with pytest.raises(SystemExit, match=r"^sse-monolith: --worker-class gthread: .*leave it out$"):
        check_worker_class(configuration(worker_class="sync", threads=4))
