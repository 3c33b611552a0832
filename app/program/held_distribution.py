"""A distribution whose metadata was read before, for :mod:`importlib.metadata`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import Distribution
from typing import Any

__all__ = ["HeldDistribution"]


class HeldDistribution(Distribution):
    """A distribution of the binary.

    Args:
        texts: its metadata files, by name.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def read_text(self, filename: str | os.PathLike[str]) -> str | None:
        """Return a metadata file's text; None: there is no such file."""
        return self._texts.get(os.fspath(filename))

    def locate_file(self, path: str | os.PathLike[str]) -> Any:
        """Refuse: a distribution in the binary has no files of its own.

        Raises:
            FileNotFoundError: always.
        """
        raise FileNotFoundError(f"{os.fspath(path)} is inside the binary and has no path")
