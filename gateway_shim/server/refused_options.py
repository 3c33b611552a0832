"""The gunicorn options that would lose events, with the reason why each is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway_shim.event_log.places.place import MAX_WORKERS, current_place

__all__ = ["FIXED_NUMBER", "ONE_WORKER", "RefusedOption", "check_worker_class", "refused_options"]

ONE_WORKER = (
    "one worker only, because the workers of this server share no event log, so a second worker"
    " would not know the streams of the first"
)
"""The reason why a second worker is refused."""

FIXED_NUMBER = (
    "the number of workers is fixed while the server runs; set WEB_CONCURRENCY or --workers and"
    " restart the server"
)
"""The reason why no worker is added to a server that runs, and none is taken away."""

_STREAM_WORKER = "gateway_shim.server.worker.StreamWorker"


@dataclass(frozen=True, slots=True)
class RefusedOption:
    """A gunicorn option whose value cannot be accepted.

    Args:
        name: gunicorn's name of the setting.
        safe_value: the value to use instead, where the server must continue.
        message: one line with the option, its value and the reason.
    """

    name: str
    safe_value: Any
    message: str


def refused_options(cfg: Any) -> Iterator[RefusedOption]:
    """Yield the options that would lose events.

    Args:
        cfg: gunicorn's configuration.
    """
    # The class is compared by name, because its module imports this module.
    classes = (f"{base.__module__}.{base.__qualname__}" for base in cfg.worker_class.__mro__)
    if _STREAM_WORKER not in classes:
        yield RefusedOption(
            "worker_class",
            _STREAM_WORKER,
            f"--worker-class {cfg.worker_class_str}: only the worker {_STREAM_WORKER} can hold"
            " streams; remove the option",
        )
    place = current_place()
    workers = 1 if place is None else place.workers
    if not 1 <= cfg.workers <= MAX_WORKERS:
        reason = f"the number of workers must be from 1 to {MAX_WORKERS}"
        yield RefusedOption("workers", workers, f"--workers {cfg.workers}: {reason}")
    elif cfg.workers != workers:
        reason = ONE_WORKER if place is None else FIXED_NUMBER
        yield RefusedOption("workers", workers, f"--workers {cfg.workers}: {reason}")
    if not cfg.keepalive:
        yield RefusedOption(
            "keepalive",
            1,
            "--keep-alive 0: a request's head would have no time limit; use at least 1 (seconds)",
        )
    if cfg.max_requests:
        yield RefusedOption(
            "max_requests",
            0,
            f"--max-requests {cfg.max_requests}: a worker that restarts ends its streams;"
            " leave it at 0",
        )
    if cfg.preload_app:
        yield RefusedOption(
            "preload_app",
            False,
            "--preload: the application must be made in the worker, after gevent has patched it;"
            " remove the option",
        )


def check_worker_class(cfg: Any) -> None:
    """Refuse another worker class, which would not check the other options either.

    Args:
        cfg: gunicorn's configuration.

    Raises:
        SystemExit: with one line that names the class and the reason.
    """
    for refused in refused_options(cfg):
        if refused.name == "worker_class":
            raise SystemExit(f"sse-monolith: {refused.message}")
