"""The folder of the user's own modules: tasks, and the hook that authorizes streams."""

from __future__ import annotations

import sys
from pathlib import Path

from app.config import InvalidSettings
from app.program.self_command import is_binary

__all__ = ["make_importable"]

_BESIDE_BINARY = "tasks"

_folders: list[Path] = []
"""The folders of all applications in this process, which has only one ``sys.path``."""


def make_importable(path: str | None) -> None:
    """Let Python find modules in a folder as well. A second call changes nothing.

    Args:
        path: the folder; None for ``tasks`` beside the binary, if this program is the binary and
            the folder exists.

    Raises:
        InvalidSettings: the folder does not exist; or another application of this process has a
            folder with a module of the same name, so that both would share one module.
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
        shared = _module_names(folder) & _module_names(other) if str(other) in sys.path else None
        if shared:
            raise InvalidSettings(
                f"APP_TASKS_PATH: {folder} and {other} both contain a module {min(shared)}; one"
                " process can import only one of them: rename one"
            )
    _folders.append(folder)
    # Last, so that no file in the folder can replace a module of this program or of Python.
    sys.path.append(str(folder))


def _module_names(folder: Path) -> set[str]:
    """Return the names of the modules and packages in a folder."""
    files = {path.stem for path in folder.glob("*.py")}
    return files | {path.parent.name for path in folder.glob("*/__init__.py")}
