"""The directory of the event log: made at the start of ``serve`` and of ``gunicorn -c``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gunicorn.arbiter import Arbiter

from app.config import InvalidSettings, Settings
from app.config.combinations import workers_problem
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_log.places.choice import make_place
from gateway_shim.event_log.places.owner import Owner
from gateway_shim.event_log.places.place import set_place
from gateway_shim.event_log.places.state_directory import check_state_directory

__all__ = ["check_log_place", "prepare_log_place"]

_STATE_DIRECTORY = "SSE_STATE_DIR"


def check_log_place(settings: Settings) -> None:
    """Check that a server could use SSE_STATE_DIR. Creates nothing.

    Raises:
        InvalidSettings: it could not; says why, and what to do.
    """
    directory = _state_directory(settings)
    if directory is None:
        return
    try:
        check_state_directory(directory)
    except InvalidConfiguration as exc:
        raise InvalidSettings(f"{_STATE_DIRECTORY}: {exc}") from exc


def prepare_log_place(arbiter: Arbiter, settings: Settings) -> None:
    """Make the directory for the event log, before the arbiter forks its first worker.

    The directory is made even if nothing is replayed, because tasks are kept in it as well. Several
    workers cannot do without it.

    Args:
        arbiter: gunicorn's; its configuration has the user of the workers, and their number, which
            can differ from WEB_CONCURRENCY because gunicorn's ``--workers`` takes precedence.
        settings: the backend's settings.

    Raises:
        SystemExit: SSE_STATE_DIR cannot be used, or several workers cannot share a log; says why,
            and what to do.
    """
    workers: int = arbiter.cfg.workers
    problem = workers_problem(workers, "the number of workers is", settings)
    if problem is not None:
        raise SystemExit(f"sse-monolith: {problem}")
    try:
        place = make_place(
            _state_directory(settings),
            settings.sse_replay_bytes if settings.replays else 0,
            Owner(arbiter.cfg.uid, arbiter.cfg.gid),
        )
    except InvalidConfiguration as exc:
        raise SystemExit(f"sse-monolith: {_STATE_DIRECTORY}: {exc}") from exc
    if place is not None:
        place = replace(place, workers=workers)
    elif workers > 1 or settings.sse_bus_url is not None:
        who, other = f"{workers} workers need", "use one worker"
        if settings.sse_bus_url is not None:
            who, other = "a server with SSE_BUS_URL needs", "unset SSE_BUS_URL"
        raise SystemExit(
            f"sse-monolith: {who} a directory for the event log, and no folder"
            " can hold one (the warning above has the reason); enlarge /dev/shm, lower"
            f" SSE_REPLAY_BYTES, set SSE_STATE_DIR, or {other}"
        )
    set_place(place)


def _state_directory(settings: Settings) -> Path | None:
    # Absolute, because a task may change the working directory.
    directory = settings.sse_state_dir
    return None if directory is None else Path(directory).absolute()
