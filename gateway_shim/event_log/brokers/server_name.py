"""The name of a server among those that share an engine."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.segments import files

__all__ = ["server_name"]

_NAME = "server"
_FORM = re.compile(r"[0-9a-f]{12}", re.ASCII)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def server_name(directory: Path) -> str:
    """Return the name of this server: the same in all of its processes, and on no other server.

    Args:
        directory: the directory of the log, which only this server uses.

    Raises:
        LogUnavailable: the file of the name cannot be made or read.
    """
    path = directory / _NAME
    new = directory / f"{_NAME}.{secrets.token_hex(6)}"
    try:
        if not path.exists():
            new.write_text(secrets.token_hex(6))
            # Unlike a rename, this fails if another process was faster.
            with contextlib.suppress(FileExistsError):
                os.link(new, path)
            new.unlink()
        name = path.read_text(errors="replace")
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise files.unavailable(error, path) from error
    if _FORM.fullmatch(name) is None:
        raise LogUnavailable(f"{path} is damaged; remove it")
    # The copy of a machine has the same file, but not the same boot.
    try:
        boot = _BOOT_ID.read_text().strip()[:8]
    except OSError:
        boot = ""
    return f"{name}.{boot}" if boot else name
