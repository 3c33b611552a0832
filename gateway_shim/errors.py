"""The package's errors.

::

    GatewayError
    ├── Misuse                   our own code has made a mistake; fix the caller
    │   ├── InvalidTransition    a stream got an event that its state does not allow
    │   └── NotAllowedHere       the call would stop or copy the serving process
    ├── InvalidConfiguration     a setting cannot work; the operator changes the setting
    ├── PeerFault                the program at the other end of a connection is the cause
    │   ├── BadSend              a send breaks the contract
    │   ├── ClientGone           the client of a stream has closed its connection
    │   ├── OutboxFull           a client has left more bytes unread than allowed
    │   ├── WriteFailed          a send was refused because its stream's client is gone or too slow
    │   └── RequestFailed        another server gave no usable answer to our request
    │       ├── AnswerTimeout    the answer did not arrive in time
    │       ├── BadCertificate   the server's certificate is not valid for the URL
    │       ├── BadRedirect      a redirect cannot be followed
    │       └── BadURL           the URL is not an http(s) URL
    ├── TransferEnded            a body or an answer took too long, or was ended to make room
    ├── UnknownToken             no stream has this token, or its stream has ended
    ├── LogUnavailable           the log could not be opened, or could not take an event
    │   ├── BusRefused           the engine that orders for many servers has refused a request
    │   └── BusUnreachable       this engine gave no usable answer; it may have done what was asked
    ├── LogDamaged               the files of the log are not what was written; an epoch must begin
    │   └── LogMoved             the copy of another log is not where its copier believes
    └── LoopNotRunning           the event loop has ended, so another thread's call has no result

Some errors are defined beside the code that raises them, because a library must recognize their
base class. ``MadeRoom`` (server/connections/request_connections.py) and ``SlowReader``
(server/responses/answers.py) are OSErrors, which gunicorn expects of a broken connection.
``HeadTimeout`` (server/connections/keep_alive.py) and ``CallbackTimeout`` (raised in a backend's
callback) are gevent.Timeouts, which ``except Exception`` must not catch. ``BadAnswer``
(http_client/response_head.py) is an HTTPException, as the errors of :mod:`http.client` are; the
HTTP client raises RequestFailed from it.
"""

from __future__ import annotations

__all__ = [
    "AnswerTimeout",
    "BadCertificate",
    "BadRedirect",
    "BadSend",
    "BadURL",
    "BusRefused",
    "BusUnreachable",
    "ClientGone",
    "GatewayError",
    "InvalidConfiguration",
    "InvalidTransition",
    "LogDamaged",
    "LogMoved",
    "LogUnavailable",
    "LoopNotRunning",
    "Misuse",
    "NotAllowedHere",
    "OutboxFull",
    "PeerFault",
    "RequestFailed",
    "TransferEnded",
    "UnknownToken",
    "WriteFailed",
]


class GatewayError(Exception):
    """The root of all errors that this package raises on purpose."""


# ------------------------------------------------------------------------- our own mistakes


class Misuse(GatewayError):
    """A call that our own code must not make. Nothing was changed."""


class InvalidTransition(Misuse):
    """An event that a stream's state does not allow.

    Args:
        state: the state of the stream.
        event: the event that was refused.
    """

    def __init__(self, state: object, event: object) -> None:
        super().__init__(f"a stream in the state {state} does not allow the event {event}")
        self.state = state
        self.event = event


class NotAllowedHere(Misuse, RuntimeError):
    """A call that would stop the event loop or copy the serving process.

    The message says what to call instead.
    """


# ------------------------------------------------------------------------- the operator's mistakes


class InvalidConfiguration(GatewayError):
    """A setting that cannot work. The message names the setting and says what would work."""


# ------------------------------------------------------------------------- faults of the peer


class PeerFault(GatewayError):
    """An error whose cause is the program at the other end of a connection."""


class BadSend(PeerFault):
    """A send that the contract refuses.

    Args:
        status: the HTTP status for the sender.
        code: the contract's error code.
        message: the contract's error message.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class ClientGone(PeerFault):
    """A write that failed because the client has closed its connection."""


class OutboxFull(PeerFault):
    """A client that has left more bytes unread than allowed (divergence 7). Its stream must end."""


class WriteFailed(PeerFault):
    """A send whose stream has ended: its client is gone, or has left too much unread.

    Args:
        token: the token of the stream.
    """

    def __init__(self, token: str) -> None:
        super().__init__(f"the stream with the token {token} could not be written to")
        self.token = token


class RequestFailed(PeerFault):
    """A request to another server that got no usable answer. The message says what happened."""


class AnswerTimeout(RequestFailed):
    """An answer, or a part of its body, that did not arrive in time."""


class BadCertificate(RequestFailed):
    """A certificate of the server that is not valid for the URL."""


class BadRedirect(RequestFailed):
    """A redirect to a target that is not an http(s) URL, or one redirect too many."""


class BadURL(RequestFailed):
    """A URL that is not an http(s) URL. Nothing was sent."""


# ------------------------------------------------------------------------- other causes


class TransferEnded(GatewayError):
    """A body or an answer that took too long, or that was ended to make room for others.

    Args:
        made_room: True if the transfer was ended because others needed its part of the memory.
    """

    def __init__(self, made_room: bool) -> None:
        super().__init__(
            "the transfer was ended to make room for others"
            if made_room
            else "the transfer has taken too long"
        )
        self.made_room = made_room


class UnknownToken(GatewayError):
    """A token that no stream has, or has any more.

    Args:
        token: the token.
    """

    def __init__(self, token: str) -> None:
        super().__init__(f"no stream has the token {token}")
        self.token = token


class LoopNotRunning(GatewayError):
    """A call of another thread to an event loop that has ended. The call may have been made."""

    def __init__(self) -> None:
        super().__init__("the event loop has ended; whether the call was carried out is unknown")


class LogUnavailable(GatewayError):
    """The log could not be opened, or could not take an event. The message says why."""


class BusUnreachable(LogUnavailable):
    """An engine that gave no usable answer.

    Args:
        message: what happened.
        was_sent: True if the engine may have done what was asked.
    """

    def __init__(self, message: str, *, was_sent: bool = True) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class BusRefused(LogUnavailable):
    """An engine that has refused a request. Nothing was changed.

    Args:
        message: what happened, and what to do.
        may_pass: True if the engine may accept the same request a moment later.
    """

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class LogDamaged(GatewayError):
    """Files of the log that cannot be continued. The message is the reason. The log handles it."""


class LogMoved(LogDamaged):
    """A copy that another process has continued or begun anew. The copier must look at it again."""
