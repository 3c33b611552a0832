"""Distributions whose metadata is in memory."""

from __future__ import annotations

import pytest

from app.program.held_distribution import HeldDistribution

TEXTS = {
    "METADATA": "Metadata-Version: 2.1\nName: My.Package\nVersion: 1.2\n",
    "entry_points.txt": "[app.tasks]\nmine = mine:Task\n",
}


def test_what_it_says() -> None:
    """Name, version and entry points are those of the metadata."""
    found = HeldDistribution(TEXTS)
    assert (found.name, found.version) == ("My.Package", "1.2")
    assert [(point.group, point.value) for point in found.entry_points] == [
        ("app.tasks", "mine:Task")
    ]
    assert found.read_text("RECORD") is None
    assert found.files is None


def test_it_has_no_files() -> None:
    """Locating a file is an error that says why."""
    with pytest.raises(FileNotFoundError, match=r"^mine\.py is inside the binary"):
        HeldDistribution(TEXTS).locate_file("mine.py")
