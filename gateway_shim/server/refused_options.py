"""The gunicorn options that would lose events, and why each is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["ONE_WORKER", "RefusedOption", "check_worker_class", "refused_options"]

ONE_WORKER = "one worker only, because each would know its own streams and miss the others'"
"""The reason why a second worker is refused."""

_STREAM_WORKER = "gateway_shim.server.worker.StreamWorker"


@dataclass(frozen=True, slots=True)
class RefusedOption:
    """A gunicorn option whose value cannot be accepted.

    Args:
        name: gunicorn's name of the setting.
        safe_value: the value to use instead, where the server must go on.
        message: the option, its value and the reason, in one line.
    """

    name: str
    safe_value: Any
    message: str


def refused_options(cfg: Any) -> Iterator[RefusedOption]:
    """Find the options that would lose events.

    Args:
        cfg: gunicorn's configuration.
    """
    # By name: the worker's module imports this one.
    classes = (f"{base.__module__}.{base.__qualname__}" for base in cfg.worker_class.__mro__)
    if _STREAM_WORKER not in classes:
        yield RefusedOption(
            "worker_class",
            _STREAM_WORKER,
            f"--worker-class {cfg.worker_class_str}: no other worker than {_STREAM_WORKER} can hold"
            " streams; leave it out",
        )
    if cfg.workers != 1:
        yield RefusedOption("workers", 1, f"--workers {cfg.workers}: {ONE_WORKER}")
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
            f"--max-requests {cfg.max_requests}: a worker that ends in between ends its streams;"
            " leave it at 0",
        )
    if cfg.preload_app:
        yield RefusedOption(
            "preload_app",
            False,
            "--preload: the application must be made in the worker, after gevent has patched it;"
            " leave it out",
        )


def check_worker_class(cfg: Any) -> None:
    """Refuse a worker that is not ours, which would not ask for the other options either.

    Args:
        cfg: gunicorn's configuration.

    Raises:
        SystemExit: with a line that says which, and why.
    """
    for refused in refused_options(cfg):
        if refused.name == "worker_class":
            raise SystemExit(f"sse-monolith: {refused.message}")
