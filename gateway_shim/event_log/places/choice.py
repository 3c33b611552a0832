"""The choice of the place: the operator's directory, or a private one, or none.

The arbiter calls :func:`make_place` before it forks, and then
:func:`~gateway_shim.event_log.places.place.set_place`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from gateway_shim.event_log.places.owner import Owner
from gateway_shim.event_log.places.place import LogPlace
from gateway_shim.event_log.places.private_directory import (
    PrivateDirectory,
    private_folders,
    remove_unused,
)
from gateway_shim.event_log.places.space import free_bytes, taken_bytes
from gateway_shim.event_log.places.state_directory import open_state_directory

__all__ = ["make_place"]

logger = logging.getLogger(__name__)

_RESERVE_BYTES = 4 * 1024 * 1024
"""The space for what lies beside the log: the table of tasks, the marks of processes."""


def make_place(
    state_directory: Path | None,
    size: int,
    owner: Owner,
    folders: Sequence[Path] | None = None,
) -> LogPlace | None:
    """Make the directory for the log of this server and lock it until this process ends.

    Args:
        state_directory: the operator's directory; None: a private one, which this process removes
            at its end.
        size: the bytes that the log may take.
        owner: the user of the workers.
        folders: where a private directory may be; None: ``/dev/shm``, then the folder for
            temporary files.

    Returns:
        The place; None if no folder can hold a private directory. This is logged.

    Raises:
        InvalidConfiguration: the operator's directory cannot be used.
    """
    folders = private_folders() if folders is None else folders
    remove_unused(folders, owner)
    if state_directory is None:
        return _private_place(folders, size + _RESERVE_BYTES, owner)
    open_state_directory(state_directory, owner)
    place = LogPlace(state_directory, survives_restart=True)
    _warn_of_little_space(place, size + _RESERVE_BYTES)
    return place


def _private_place(folders: Sequence[Path], size: int, owner: Owner) -> LogPlace | None:
    reasons = []
    for folder in folders:
        try:
            made = PrivateDirectory(folder, size, owner)
        except OSError as exc:
            reasons.append(f"{folder}: {exc.strerror}")
            continue
        return LogPlace(made.path, survives_restart=False)
    logger.warning(
        "no folder can hold the event log, so a reload or a killed worker loses events",
        extra={"reason": "; ".join(reasons)},
    )
    return None


def _warn_of_little_space(place: LogPlace, size: int) -> None:
    available = free_bytes(place.directory) + taken_bytes(place.log_directory)
    if available < size:
        logger.warning(
            "the state directory has too little free space for the event log",
            extra={
                "directory": str(place.directory),
                "available_bytes": available,
                "needed_bytes": size,
            },
        )
