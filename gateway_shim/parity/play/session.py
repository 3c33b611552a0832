"""A scenario's callbacks: what came, in which order, and what each is answered."""

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
"""How long the rest of an answer is withheld at most: less than a callback may take (5 s)."""

_HANG_SECONDS = 60.0  # longer than any scenario, so that the gateway is the one that gives up


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback as it arrived.

    Args:
        method: the request method.
        path: the request target.
        content_type: its Content-Type.
        json: its JSON; what is not JSON, as text.
        connection: the number of the connection that it came on.
        text: its body as it came; bytes that are not UTF-8 are escapes.
        authorization: its Authorization header.
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
        """What it says has happened."""
        return self.json.get("action") if isinstance(self.json, dict) else None

    @property
    def token(self) -> str | None:
        """The token it speaks of."""
        token = self.json.get("token") if isinstance(self.json, dict) else None
        return token if isinstance(token, str) else None


@dataclass
class Session:
    """The callbacks of one scenario.

    Args:
        send: POSTs a send to the gateway, for sends during a callback; returns its answer.
        earlier_tokens: tokens of earlier sessions, whose late callbacks do not belong here.
    """

    send: Callable[[Any], Any]
    earlier_tokens: frozenset[str] = frozenset()
    callbacks: list[Callback] = field(default_factory=list)
    during: list[Any] = field(default_factory=list)
    on_disconnect: Reply = AT_ONCE

    def __post_init__(self) -> None:
        """Make the locks."""
        self._changed = threading.Condition()
        self._reply = AT_ONCE
        self._following: deque[Reply] = deque()
        self._held = self._most_held = 0
        self._answered_disconnects = 0
        self._withheld = 0
        self._released = threading.Event()
        self._over = threading.Event()

    def expect(self, reply: Reply) -> None:
        """Answer the next connect callback so; without a word, it is 200 at once."""
        with self._changed:
            self._reply = reply
            self._following.clear()

    def release(self) -> None:
        """Let the callbacks go that are held, and the rest of answers that is withheld."""
        self._released.set()

    def end(self) -> None:
        """Let every callback go: nothing may wait for this session any more."""
        self._over.set()
        self._released.set()

    @property
    def withheld(self) -> bool:
        """Whether the rest of an answer is being withheld."""
        with self._changed:
            return self._withheld > 0

    @property
    def answered_disconnects(self) -> int:
        """How many disconnect callbacks have their answer."""
        with self._changed:
            return self._answered_disconnects

    def wait_for(self, enough: Callable[[list[Callback]], bool], seconds: float = PATIENCE) -> bool:
        """Wait until the callbacks so far are enough; False if time is up first."""
        with self._changed:
            return self._changed.wait_for(lambda: enough(self.callbacks), seconds)

    def wait_held(self, count: int, seconds: float = PATIENCE) -> bool:
        """Wait until that many callbacks are held at the same time; False if time is up first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._held >= count, seconds)

    @property
    def most_held(self) -> int:
        """How many callbacks were held at the same time, at most."""
        with self._changed:
            return self._most_held

    def tokens(self) -> list[str]:
        """The tokens of the connect callbacks, in order."""
        with self._changed:
            return [c.token for c in self.callbacks if c.action == "connect" and c.token]

    def take(self, callback: Callback) -> Reply:
        """Record a callback, do what the script says, and return the answer to give."""
        with self._changed:
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
        """Note that the rest of an answer is withheld; before its first byte is written."""
        with self._changed:
            self._withheld += 1

    def withhold(self) -> None:
        """Wait before the rest of an answer: for :meth:`release`, or :data:`WITHHELD_SECONDS`."""
        self._released.wait(WITHHELD_SECONDS)
        with self._changed:
            self._withheld -= 1

    def pause(self, seconds: float) -> bool:
        """Wait between two bytes of an answer; False if the session is over."""
        return not self._over.wait(seconds)

    def _next_reply(self, connect: bool) -> Reply:
        """The script's answer, under the lock: one that follows another, or the first of a chain.

        What follows a redirect can have another method and no body, so its action is not asked.
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
