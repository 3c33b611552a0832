"""The facts about the build of the binary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.program import build_info as module
from app.program.build_info import FILE_NAME, BuildInfo, build_info


def test_from_the_source() -> None:
    """A program that runs from its source has no build."""
    assert build_info() is None


def test_in_the_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the binary, the fields come from the file."""
    fields = {
        "commit": "c0ffee",
        "date": "2026-01-02T03:04:05Z",
        "builder": "Packer 1",
        "glibc": "2.31",
        "glibc_because": "libx.so",
    }
    (tmp_path / FILE_NAME).write_text(json.dumps(fields))
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    assert build_info() == BuildInfo(
        "c0ffee", "2026-01-02T03:04:05Z", "Packer 1", "2.31", "libx.so"
    )
