"""The sources of settings: the environment, and ``.env``."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.reading.dotenv_file import InvalidDotenv
from app.config.sources import AmbiguousSetting, Source, read_sources

NAMES = {"port", "host", "admin_bind"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working directory; the environment has no settings."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path


def test_the_environment_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins; an empty value counts as unset; names may be in lower case."""
    (folder / ".env").write_text("PORT=1\nhost=::1\nADMIN_BIND=\nOTHER=1\n")
    monkeypatch.setenv("port", "2")
    monkeypatch.setenv("HOST", "")
    sources = read_sources(NAMES)
    assert sources.environment == {"port"}
    assert {name: each.value for name, each in sources.dotenv.items()} == {"host": "::1"}
    assert [sources.source_of(name) for name in ("port", "host", "admin_bind")] == [
        Source.ENVIRONMENT,
        Source.DOTENV,
        Source.DEFAULT,
    ]
    assert [sources.place_of(name) for name in ("port", "host")] == ["", ".env line 2"]


def test_one_setting_under_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting under two names is refused, unless both values are the same."""
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("port", "1")
    assert read_sources(NAMES).environment == {"port"}
    monkeypatch.setenv("port", "2")
    with pytest.raises(AmbiguousSetting, match=r"^PORT and port are both in the environment"):
        read_sources(NAMES)
    monkeypatch.setenv("port", "")
    assert read_sources(NAMES).environment == {"port"}


def test_a_file_that_is_refused(folder: Path) -> None:
    """An error of the file is passed on."""
    (folder / ".env").write_text("PORT: 1\n")
    with pytest.raises(InvalidDotenv, match=r"^\.env line 1: PORT "):
        read_sources(NAMES)


def test_warnings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each warning says where the name is, and which setting was probably meant."""
    (folder / ".env").write_text("\nADMIN_BINDS=x\n")
    monkeypatch.setenv("ADMIN_BNID", "x")
    monkeypatch.setenv("SSE_XYZZY", "x")
    assert sorted(read_sources(NAMES).warnings) == [
        "ADMIN_BINDS in .env line 2 is not a setting; did you mean ADMIN_BIND?",
        "ADMIN_BNID in the environment is not a setting; did you mean ADMIN_BIND?",
        "SSE_XYZZY in the environment is not a setting",
    ]
