"""Where the user's own modules are: tasks, and the hook that says who may have a stream."""

from __future__ import annotations

import sys
from pathlib import Path

from app.config import InvalidSettings
from app.program.self_command import is_binary

__all__ = ["make_importable"]

_BESIDE_BINARY = "tasks"

_folders: list[Path] = []
"""The folders of all applications of this process, which has one ``sys.path``."""


def make_importable(path: str | None) -> None:
    """Have Python look for modules in a folder, too; a second call changes nothing.

    Args:
        path: the folder; None: ``tasks`` beside the binary, if this is the binary and it exists.

    Raises:
        InvalidSettings: there is no such folder; or another application of this process has a
            folder with a module of the same name, and would share that module.
    """
    if path is not None:
        folder = Path(path).absolute()
        if not folder.is_dir():
            raise InvalidSettings(f"APP_TASKS_PATH: there is no folder {folder}")
    else:
        folder = Path(sys.executable).parent / _BESIDE_BINARY
        if not (is_binary() and folder.is_dir()):
            return
    if str(folder) in sys.path:
        return
    for other in _folders:
        shared = _modules(folder) & _modules(other) if str(other) in sys.path else None
        if shared:
            raise InvalidSettings(
                f"APP_TASKS_PATH: {folder} and {other} both hold a module {min(shared)}; one"
                " process can have only one of them, so rename it"
            )
    _folders.append(folder)
    # Last, so that no file in it can stand in for a module of ours or of Python's.
    sys.path.append(str(folder))


def _modules(folder: Path) -> set[str]:
    """The names of the modules and packages that a folder holds."""
    files = {path.stem for path in folder.glob("*.py")}
    return files | {path.parent.name for path in folder.glob("*/__init__.py")}
