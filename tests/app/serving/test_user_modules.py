"""Tests of the folder of the user's own modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.config import InvalidSettings
from app.serving.user_modules import make_importable


@pytest.fixture(autouse=True)
def before(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """``sys.path``, which is restored after the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    return list(sys.path)


def test_a_folder(tmp_path: Path, before: list[str]) -> None:
    """A folder is added once, at the end of ``sys.path``."""
    make_importable(str(tmp_path))
    make_importable(str(tmp_path))
    assert sys.path == [*before, str(tmp_path)]


def test_a_relative_folder(
    tmp_path: Path, before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative folder is made absolute, so it survives a change of the working directory."""
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    make_importable("mine")
    assert sys.path == [*before, str(tmp_path / "mine")]


def test_no_such_folder(tmp_path: Path, before: list[str]) -> None:
    """The error is one line that names the setting and the folder."""
    wanted = tmp_path / "missing"
    with pytest.raises(InvalidSettings) as caught:
        make_importable(str(wanted))
    assert str(caught.value) == f"APP_TASKS_PATH: there is no folder {wanted}"
    assert sys.path == before


def test_unset_from_the_source(
    tmp_path: Path, before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is added by default, even if a folder ``tasks`` is beside Python."""
    (tmp_path / "tasks").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    make_importable(None)
    assert sys.path == before


@pytest.mark.parametrize("exists", [True, False])
def test_unset_in_the_binary(
    exists: bool, tmp_path: Path, before: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The binary adds the folder ``tasks`` beside it, if the folder exists."""
    if exists:
        (tmp_path / "tasks").mkdir()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "sse-monolith"))
    make_importable(None)
    assert sys.path == [*before, *([str(tmp_path / "tasks")] if exists else [])]


@pytest.mark.parametrize("name", ["mine.py", "mine/__init__.py"])
def test_two_applications_with_a_module_of_the_same_name(
    tmp_path: Path, before: list[str], name: str
) -> None:
    """A second folder with a module of the same name is refused until the module is renamed."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, file in ((one, "mine.py"), (two, name)):
        (folder / file).parent.mkdir(parents=True)
        (folder / file).touch()
    (two / "other.py").touch()
    make_importable(str(one))
    with pytest.raises(InvalidSettings) as caught:
        make_importable(str(two))
    assert str(caught.value) == (
        f"APP_TASKS_PATH: {two} and {one} both contain a module mine; one process can import"
        " only one of them: rename one"
    )
    assert sys.path == [*before, str(one)]
    (two / name).rename(two / "renamed.py")
    make_importable(str(two))
    assert sys.path == [*before, str(one), str(two)]
