"""Tests of sizes: modules that fit into a head, folders that fit on a screen."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath

from tests.structure.modules import ROOT, sources

LINES = 300
"""The largest number of lines of a module."""

MODULES = 16
"""The largest number of modules in a folder. ``__init__.py`` and ``__main__.py`` count, too."""

PATHS = sources("app", "gateway_shim", "tests")


def test_modules_are_short() -> None:
    """No module is longer than the limit."""
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in PATHS}
    assert {path: count for path, count in lines.items() if count > LINES} == {}


def test_folders_are_small() -> None:
    """No folder holds more modules than the limit."""
    folders = Counter(str(PurePosixPath(path).parent) for path in PATHS)
    assert {folder: count for folder, count in folders.items() if count > MODULES} == {}
