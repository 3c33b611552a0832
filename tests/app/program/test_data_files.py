"""The files of the packages that are not modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.program import data_files as module
from app.program.data_files import DATA_FOLDERS, data_files


@pytest.mark.parametrize("folder", DATA_FOLDERS)
def test_each_folder_is_there(folder: str) -> None:
    """Each folder that the binary must contain has files."""
    assert all(data_files(folder).values())


def test_files_in_folders() -> None:
    """A file is named by its path below the folder."""
    assert b"<!doctype html>" in data_files("app/console/templates")["console/frame.html"]
    assert b"sse-client" in data_files("app/console/static")["page.js"]


def test_a_file_that_disappears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are read once. An update that replaces or removes them changes nothing."""
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "page.js").write_text("old")
    before = data_files("some")
    (tmp_path / "some" / "page.js").unlink()
    assert dict(data_files("some")) == dict(before) == {"page.js": b"old"}
    data_files.cache_clear()
    with pytest.raises(FileNotFoundError, match="some has no files; install the program again"):
        data_files("some")
