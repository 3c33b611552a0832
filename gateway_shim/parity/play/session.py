"""The callbacks of one scenario: which came, in which order, and the answer to each."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway_shim.parity.play.probe import PATIENCE
from gateway_shim.parity.reply import AT_ONCE, Fate, Reply

__all__ = ["WITHHELD_SECONDS", "Callback", "Session"]

WITHHELD_SECONDS = 3.5
"""The longest time that the rest of an answer is withheld; a callback may take longer (5 s)."""

_HANG_SECONDS = 60.0  # longer than any scenario, so that the gateway gives up first


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback as it arrived.

    Args:
        method: the request method.
        path: the request target.
        content_type: the Content-Type.
        json: the body's JSON; a body that is not JSON is text.
        connection: the number of the connection.
        text: the body as it came; invalid UTF-8 is shown as escapes.
        authorization: the Authorization header.
    """

    method: str
    path: str
    content_type: str | None
    json: Any
    connection: int = field(default=0, compare=False)
    text: str = field(default="", compare=False)
    authorization: str | None = field(default=None, compare=False)

    @property
    def action(self) -> str | None:
        """The action that the callback reports."""
        return self.json.get("action") if isinstance(self.json, dict) else None

    @property
    def token(self) -> str | None:
        """The token in the callback."""
        token = self.json.get("token") if isinstance(self.json, dict) else None
        return token if isinstance(token, str) else None


@dataclass
class Session:
    """The callbacks of one scenario, and the answers that they get.

    Args:
        send: sends a body to the gateway, for sends during a callback; returns the answer.
        earlier_tokens: the tokens of earlier sessions, whose late callbacks do not belong here.
    """

    send: Callable[[Any], Any]
    earlier_tokens: frozenset[str] = frozenset()
    callbacks: list[Callback] = field(default_factory=list)
    during: list[Any] = field(default_factory=list)
    on_disconnect: Reply = AT_ONCE

    def __post_init__(self) -> None:
        """Create the locks."""
        self._changed = threading.Condition()  # its lock guards everything below
        self._reply = AT_ONCE  # the answer to the next connect callback
        self._following: deque[Reply] = deque()  # the rest of a chain of answers
        self._held = self._most_held = 0  # callbacks that are held now, and at most
        self._answered_disconnects = 0  # disconnect callbacks that have their answer
        self._withheld = 0  # answers whose rest is withheld now
        self._released = threading.Event()  # held callbacks and withheld answers continue
        self._over = threading.Event()  # nothing waits for this session any longer

    def expect(self, reply: Reply) -> None:
        """Set the answer to the next connect callback; without this call it is 200 at once."""
        with self._changed:
            self._reply = reply
            self._following.clear()

    def release(self) -> None:
        """Let held callbacks continue, and the rest of answers that are withheld."""
        self._released.set()

    def end(self) -> None:
        """Let every callback continue; no thread waits for this session any longer."""
        self._over.set()
        self._released.set()

    @property
    def withheld(self) -> bool:
        """True while the rest of an answer is being withheld."""
        with self._changed:
            return self._withheld > 0

    @property
    def answered_disconnects(self) -> int:
        """The number of disconnect callbacks that have been answered."""
        with self._changed:
            return self._answered_disconnects

    def wait_for(self, enough: Callable[[list[Callback]], bool], seconds: float = PATIENCE) -> bool:
        """Wait until the callbacks so far are enough; return False if time is up first."""
        with self._changed:
            return self._changed.wait_for(lambda: enough(self.callbacks), seconds)

    def wait_held(self, count: int, seconds: float = PATIENCE) -> bool:
        """Wait until ``count`` callbacks are held at the same time; return False if time is up."""
        with self._changed:
            return self._changed.wait_for(lambda: self._held >= count, seconds)

    @property
    def most_held(self) -> int:
        """The largest number of callbacks that were held at the same time."""
        with self._changed:
            return self._most_held

    def tokens(self) -> list[str]:
        """Return the tokens of the connect callbacks, in order."""
        with self._changed:
            return [c.token for c in self.callbacks if c.action == "connect" and c.token]

    def take(self, callback: Callback) -> Reply:
        """Record a callback, do what the script says, and return the answer."""
        with self._changed:
            # After the end, the streams of the scenario are closed, and their disconnect callbacks
            # may still arrive here. A scripted redirect would lead them into the next scenario.
            if self._over.is_set():
                return AT_ONCE
            if callback.action != "connect" and callback.token in self.earlier_tokens:
                return AT_ONCE
            reply = self._next_reply(callback.action == "connect")
            self.callbacks.append(callback)
            self._changed.notify_all()
        for body in reply.sends:
            self.during.append(self.send(_with_token(body, callback.token)))
        if reply.delay:
            self._over.wait(reply.delay)
        if reply.fate is Fate.HOLD:
            self._hold()
        elif reply.fate is Fate.HANG:
            self._over.wait(_HANG_SECONDS)
        with self._changed:
            self._answered_disconnects += callback.action == "disconnect"
        return reply

    def begin_withholding(self) -> None:
        """Note that the rest of an answer is withheld; call this before the answer's first byte."""
        with self._changed:
            self._withheld += 1

    def withhold(self) -> None:
        """Wait before the rest of an answer: for :meth:`release`, or :data:`WITHHELD_SECONDS`."""
        self._released.wait(WITHHELD_SECONDS)
        with self._changed:
            self._withheld -= 1

    def pause(self, seconds: float) -> bool:
        """Wait between two bytes of an answer; return False if the session is over."""
        return not self._over.wait(seconds)

    # Private.

    def _next_reply(self, connect: bool) -> Reply:
        """Return the next answer of the script: one that follows another, or the first of a chain.

        The caller holds the lock. A request that follows a redirect may have another method and no
        body, so such an answer does not depend on the callback's action.
        """
        if self._following:
            return self._following.popleft()
        reply = self.on_disconnect
        if connect:
            reply, self._reply = self._reply, AT_ONCE
        first, *following = reply.chain()
        self._following.extend(following)
        return first

    def _hold(self) -> None:
        with self._changed:
            self._held += 1
            self._most_held = max(self._most_held, self._held)
            self._changed.notify_all()
        self._released.wait(PATIENCE)
        with self._changed:
            self._held -= 1


def _with_token(body: Any, token: str | None) -> Any:
    if isinstance(body, Mapping) and body.get("token") == "$T":
        return {**body, "token": token}
    return body
