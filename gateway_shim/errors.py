"""The package's errors.

::

    GatewayError
    ├── InvalidConfiguration   a setting that cannot work; ours to report, the operator's to mend
    ├── InvalidTransition      a stream was told something its state does not allow; our misuse
    ├── BadSend                a send that breaks the contract; the sender's fault
    ├── UnknownToken           a send for a stream that is not (any more) there
    ├── WriteFailed            a send that its stream did not survive; the client's fault
    ├── ClientGone             a write failed: the client is not there any more; nobody's fault
    ├── LoopNotRunning         a call of another thread that no event loop carries out (any more)
    ├── TransferEnded          a body or an answer that has taken too long, or has made room
    ├── NotAllowedHere         what would stop or copy the serving process; the caller's misuse
    └── RequestFailed          another server that we asked gave no usable answer
        ├── BadURL             what was to be asked is not an http(s) URL; our settings' fault
        ├── BadRedirect        a redirect leads nowhere
        ├── BadCertificate     the certificate is not valid for the URL
        └── AnswerTimeout      the answer did not come in time
"""

from __future__ import annotations

__all__ = [
    "AnswerTimeout",
    "BadCertificate",
    "BadRedirect",
    "BadSend",
    "BadURL",
    "ClientGone",
    "GatewayError",
    "InvalidConfiguration",
    "InvalidTransition",
    "LoopNotRunning",
    "NotAllowedHere",
    "RequestFailed",
    "TransferEnded",
    "UnknownToken",
    "WriteFailed",
]


class GatewayError(Exception):
    """Root of everything this package raises on purpose."""


class InvalidConfiguration(GatewayError):
    """A setting that cannot work; the message says which and what would."""


class InvalidTransition(GatewayError):
    """A stream was told something that its state does not allow; nothing was changed."""

    def __init__(self, state: object, event: object) -> None:
        super().__init__(f"a stream that is {state} cannot take {event}")
        self.state = state
        self.event = event


class BadSend(GatewayError):
    """A send that the contract refuses.

    Args:
        status: the HTTP status the sender gets.
        code: the contract's error code.
        message: the contract's error message.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class UnknownToken(GatewayError):
    """No stream has this token (any more)."""

    def __init__(self, token: str) -> None:
        super().__init__(f"no stream has the token {token}")
        self.token = token


class WriteFailed(GatewayError):
    """The client of a stream is gone, or has left too much unread: the stream has ended."""

    def __init__(self, token: str) -> None:
        super().__init__(f"the stream with the token {token} could not be written to")
        self.token = token


class ClientGone(GatewayError):
    """A write failed: the client is not there any more."""


class LoopNotRunning(GatewayError):
    """Another thread has called, and no event loop carries the call out: it has ended."""

    def __init__(self) -> None:
        super().__init__("the event loop has ended; whether the call was carried out is unknown")


class TransferEnded(GatewayError):
    """A body or an answer did not end in time, or was ended to make room for others.

    Args:
        made_room: True if it was ended because others needed its part of the memory.
    """

    def __init__(self, made_room: bool) -> None:
        super().__init__("it has made room for others" if made_room else "it has taken too long")
        self.made_room = made_room


class NotAllowedHere(GatewayError, RuntimeError):
    """The call would stop the event loop or copy the serving process; nothing was done.

    The message says what to do instead.
    """


class RequestFailed(GatewayError):
    """Another server could not be asked, or gave no answer that is one; says what happened."""


class BadURL(RequestFailed):
    """The URL to ask is not an http(s) URL."""


class BadRedirect(RequestFailed):
    """A redirect leads to what is not an http(s) URL, or there were too many of them."""


class BadCertificate(RequestFailed):
    """The server's certificate is not valid for the URL."""


class AnswerTimeout(RequestFailed):
    """The answer, or more of its body, did not come in time."""
