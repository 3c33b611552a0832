"""The names of the keys in Redis. Pure."""

from __future__ import annotations

import re

from gateway_shim.errors import InvalidConfiguration

__all__ = ["Keys"]

_PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


class Keys:
    """The keys of one environment. All of them lie in one slot of a cluster.

    Args:
        prefix: what they begin with, one to 64 of ``A-Za-z0-9._:-``.

    Attributes:
        meta: the key of the epoch and of what is known of it.
        processes: the key of the processes that run.

    Raises:
        InvalidConfiguration: the prefix cannot be used.
    """

    def __init__(self, prefix: str) -> None:
        if _PREFIX.fullmatch(prefix) is None:
            raise InvalidConfiguration(
                f"the prefix {prefix!r:.80} cannot be used;"
                " use 1 to 64 letters, digits, '.', '_', ':' and '-'"
            )
        self._prefix = f"{{{prefix}}}"
        self.meta = f"{self._prefix}:meta"
        self.processes = f"{self._prefix}:processes"

    def stream(self, epoch: str) -> str:
        """Return the key of an epoch's stream."""
        return f"{self._prefix}:stream:{epoch}"

    def parcel(self, name: str) -> str:
        """Return the key of a parcel."""
        return f"{self._prefix}:parcel:{name}"
