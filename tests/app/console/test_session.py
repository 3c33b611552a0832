"""Passwords and the cookies of sessions."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from app.console.session import LIFETIME_SECONDS, Sessions

PASSWORD = "correct horse"


def sessions(password: str | None = PASSWORD, now: float = 1_000_000_000) -> Sessions:
    """Return the sessions of a server that was started with a password."""
    return Sessions(None if password is None else SecretStr(password), lambda: now)


@pytest.fixture(scope="module")
def cookie() -> str:
    """Return a cookie of a server."""
    return sessions().new_cookie()


def test_a_cookie_survives_a_restart(cookie: str) -> None:
    """Another process with the same password accepts the cookie."""
    assert sessions().is_valid(cookie)


def test_a_new_password_signs_everybody_out(cookie: str) -> None:
    """A process with another password, or without one, does not accept the cookie."""
    assert not sessions("correct horsf").is_valid(cookie)
    assert not sessions(None).is_valid(cookie)


@pytest.mark.parametrize(
    ("age", "is_valid"),
    [(0, True), (LIFETIME_SECONDS, True), (LIFETIME_SECONDS + 1, False), (-60, False)],
)
def test_a_cookie_expires(cookie: str, age: int, is_valid: bool) -> None:
    """A cookie is valid for some hours; one from the future is not."""
    assert sessions(now=1_000_000_000 + age).is_valid(cookie) is is_valid


def test_a_changed_cookie(cookie: str) -> None:
    """No character of a cookie can be changed, left out or added."""
    checked = sessions()
    other = {"A": "B"}
    for place in range(len(cookie)):
        changed = cookie[:place] + other.get(cookie[place], "A") + cookie[place + 1 :]
        # The last character of the signature has two bits that mean nothing.
        assert not checked.is_valid(changed) or place == len(cookie) - 1
        assert not checked.is_valid(cookie[:place])
    assert not checked.is_valid(f"{cookie}A")
    assert not checked.is_valid(f" {cookie}")


@pytest.mark.parametrize(
    "garbage",
    [None, "", ".", "..", "...", "console", "console..", "é.ÿ.\udcff", "\x00" * 9, "x." * 99_999],
)
def test_garbage(garbage: str | None) -> None:
    """A value that is no cookie is refused without an error."""
    assert not sessions().is_valid(garbage)


@pytest.mark.parametrize("password", [PASSWORD, "пароль☃ длинный", "\udcff" * 8])
def test_the_password(password: str) -> None:
    """Only the whole password is right, whatever its characters are."""
    checked = sessions(password)
    assert checked.are_needed
    assert checked.is_password(password)
    for wrong in ("", password[:-1], f"{password} ", password.upper() + "!", "x" * 1_000_000):
        assert not checked.is_password(wrong)


def test_without_a_password() -> None:
    """Without a password there are no sessions, and no text is the password."""
    none = sessions(None)
    assert (none.are_needed, none.is_password("")) == (False, False)
    with pytest.raises(ValueError, match="no password"):
        none.new_cookie()
