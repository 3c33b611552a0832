"""The sessions of people who have the console's password: signed cookies with an expiry.

The server stores nothing, so a session survives a reload and a restart. The signing key is made
from the password. A new password makes every cookie invalid, also those of a person who has signed
out and kept a copy.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

from itsdangerous import BadSignature, TimestampSigner
from pydantic import SecretStr

__all__ = ["COOKIE", "LIFETIME_SECONDS", "Sessions"]

COOKIE = "sse_console"
"""The name of the cookie."""

LIFETIME_SECONDS = 12 * 3600
"""The time after which a person must sign in again."""

_SALT = b"sse-monolith console session"
_VALUE = b"console"
_SCRYPT_COST = 2**14
"""The cost of one guess at the password for someone who has stolen a cookie: about 50 ms."""


class Sessions:
    """Checks passwords, and signs and checks cookies.

    Args:
        password: ``SSE_CONSOLE_PASSWORD``; None: nobody can have a session.
        clock: returns the time in seconds since 1970; None: the system's time, because a cookie
            outlives the process.
    """

    def __init__(
        self, password: SecretStr | None, clock: Callable[[], float] | None = None
    ) -> None:
        self._signer: _Signer | None = None
        self._password_digest = b""
        if password is not None:
            secret = _bytes_of(password.get_secret_value())
            self._password_digest = hashlib.sha256(secret).digest()
            self._signer = _Signer(_key_of(secret), clock or _now)

    @property
    def are_needed(self) -> bool:
        """True if there is a password."""
        return self._signer is not None

    def is_password(self, candidate: str) -> bool:
        """Return whether a text is the password, in a time that does not depend on the text."""
        digest = hashlib.sha256(_bytes_of(candidate)).digest()
        return hmac.compare_digest(digest, self._password_digest) and self.are_needed

    def new_cookie(self) -> str:
        """Return the value of a cookie that is valid from now on.

        Raises:
            ValueError: there is no password.
        """
        if self._signer is None:
            raise ValueError("there is no password, so there are no sessions")
        return self._signer.sign(_VALUE).decode()

    def is_valid(self, cookie: str | None) -> bool:
        """Return whether a value is that of a cookie of this server that has not expired."""
        if self._signer is None or not cookie:
            return False
        try:
            return self._signer.unsign(_bytes_of(cookie), max_age=LIFETIME_SECONDS) == _VALUE
        except BadSignature:  # also SignatureExpired
            return False


class _Signer(TimestampSigner):
    """A signer with a clock of its own."""

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        super().__init__(key, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256)
        self._clock = clock

    def get_timestamp(self) -> int:
        """Return the time in seconds since 1970."""
        return int(self._clock())


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _key_of(secret: bytes) -> bytes:
    return hashlib.scrypt(secret, salt=_SALT, n=_SCRYPT_COST, r=8, p=1)


def _bytes_of(text: str) -> bytes:
    """Return a text in UTF-8. A text from a request or from the environment may not be valid."""
    return text.encode("utf-8", "surrogatepass")
