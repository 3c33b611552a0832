"""Where the user's own modules are: tasks, and the hook that says who may have a stream."""

from __future__ import annotations

import sys
from pathlib import Path

from app.config import InvalidSettings
from app.self_command import is_binary

__all__ = ["make_importable"]

_BESIDE_BINARY = "tasks"


def make_importable(path: str | None) -> None:
    """Have Python look for modules in a folder, too; a second call changes nothing.

    Args:
        path: the folder; None: ``tasks`` beside the binary, if this is the binary and it exists.

    Raises:
        InvalidSettings: there is no such folder.
    """
    if path is not None:
        folder = Path(path).absolute()
        if not folder.is_dir():
            raise InvalidSettings(f"APP_TASKS_PATH: there is no folder {folder}")
    else:
        folder = Path(sys.executable).parent / _BESIDE_BINARY
        if not (is_binary() and folder.is_dir()):
            return
    # Last, so that no file in it can stand in for a module of ours or of Python's.
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
