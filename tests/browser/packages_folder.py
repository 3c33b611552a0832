"""The JavaScript packages of the browser tests: ``tests/browser/packages``, installed by npm."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

__all__ = ["FOLDER", "installed_packages"]

FOLDER = Path(__file__).resolve().parent / "packages"


def installed_packages() -> Path:
    """Install the packages of the lock file, if they are not installed yet.

    Returns:
        The folder ``node_modules``. Tests of several processes may call this at the same time.
    """
    folder = FOLDER / "node_modules"
    stamp = folder / ".installed"
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    npm = shutil.which("npm")
    assert npm is not None
    with (FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted:
            subprocess.run([npm, "ci", "--silent"], cwd=FOLDER, check=True)
            stamp.write_text(wanted)
    return folder
