"""The user that a server's workers run as, who must own the directory of the log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Self

__all__ = ["Owner"]


class Owner(NamedTuple):
    """A user and a group.

    gunicorn's options ``--user`` and ``--group`` make the workers run as another user than the
    arbiter, which makes the directories.

    Args:
        uid: the user id.
        gid: the group id.
    """

    uid: int
    gid: int

    @classmethod
    def of_this_process(cls) -> Self:
        """Return the user and the group of this process."""
        return cls(os.geteuid(), os.getegid())

    def own(self, directory: Path) -> None:
        """Make this user the owner of a directory that this process has made.

        Raises:
            OSError: this process may not give files to another user.
        """
        if self != Owner.of_this_process():
            os.chown(directory, self.uid, self.gid)
