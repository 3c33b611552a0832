"""A distribution whose metadata is in memory, for :mod:`importlib.metadata`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import Distribution
from typing import Any

__all__ = ["HeldDistribution"]


class HeldDistribution(Distribution):
    """A distribution that is part of the binary.

    Args:
        texts: the distribution's metadata files, by name.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def read_text(self, filename: str | os.PathLike[str]) -> str | None:
        """Return the text of a metadata file; None if there is no such file."""
        return self._texts.get(os.fspath(filename))

    def locate_file(self, path: str | os.PathLike[str]) -> Any:
        """Raise an error, because a distribution in the binary has no files.

        Raises:
            FileNotFoundError: always.
        """
        raise FileNotFoundError(f"{os.fspath(path)} is inside the binary and has no path")
