"""The event loop of a walk: time passes, and sockets become ready, only when the walk says so.

The gateway's modules get a stand-in for ``gevent`` whose watchers of fake sockets and whose sleeps
belong to the walk. Greenlets and the hub are the real ones. Where the gateway lets others run, its
greenlet pauses until the walk lets it go on, so anything can happen in the middle of a delivery.
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import gevent
from gevent.hub import Waiter

from gateway_shim.event_loop import turns
from tests.gateway_shim.hub_errors import HubErrors

__all__ = ["ControlledLoop"]

_READABLE, _WRITABLE = 1, 2
_ROUNDS = 6
"""The rounds in which the longest chain of greenlets, each of which wakes the next one, ends."""

_BATCH = 1
"""The streams that a delivery writes to before it lets others run."""


class ControlledLoop:
    """A context manager: the gateway's event loop, under the walk's control.

    Attributes:
        now: the time, seconds.
        paused: the greenlets that have let others run, and wait for the walk.
        pauses: how often each greenlet has paused.
        is_free: True if greenlets that let others run do not pause.
        sockets: the fake sockets by their descriptors.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.paused: list[tuple[Any, Waiter[None]]] = []
        self.pauses: Counter[Any] = Counter()
        self.is_free = False
        self.sockets: dict[int, Any] = {}
        self._sleepers: list[tuple[float, int, Callable[[], object]]] = []
        self._count = self._free_calls = 0
        self._watchers: dict[_Watcher, None] = {}
        self._undo: list[tuple[object, str, object]] = []
        self._errors = HubErrors()

    def __enter__(self) -> Self:
        """Take control."""
        self._walk: object = gevent.getcurrent()
        self._errors.__enter__()
        stand_in = _Gevent(self)
        for name, module in list(sys.modules.items()):
            if not name.startswith("gateway_shim.") or module is turns:
                continue
            if name.startswith("gateway_shim.streams") and vars(module).get("gevent") is gevent:
                self._replace(module, "gevent", stand_in)
            if "callbacks" in name:
                continue  # the reports of ends to the backend are not part of the promise
            for attribute in ("let_others_run", "let_others_run_if_due"):
                if hasattr(module, attribute):
                    self._replace(module, attribute, self.pause)
            if hasattr(module, "YIELD_EVERY"):
                self._replace(module, "YIELD_EVERY", _BATCH)
            if hasattr(module, "borrow"):
                self._replace(module, "borrow", lambda sock: sock)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the control back."""
        for target, name, value in reversed(self._undo):
            setattr(target, name, value)
        self._errors.seen.clear()
        self._errors.__exit__(kind, error, trace)

    def __call__(self) -> float:
        """Return the time, seconds."""
        return self.now

    @property
    def errors(self) -> list[BaseException]:
        """The errors that have reached the hub."""
        return self._errors.seen

    # ------------------------------------------------------------------ for the walk

    def settle(self) -> None:
        """Let greenlets run until all of them wait."""
        for _ in range(_ROUNDS):
            gevent.sleep(0)

    def turn(self) -> bool:
        """Let the loop go round once: each watcher of a ready socket is called at most once.

        Returns:
            True if a watcher was called.
        """
        ready = [watcher for watcher in self._watchers if watcher.is_ready()]
        for watcher in ready:
            gevent.get_hub().loop.run_callback(watcher.fire)
        self.settle()
        return bool(ready)

    def resume(self, index: int) -> bool:
        """Let one paused greenlet go on, until it pauses again.

        Returns:
            False if no greenlet has paused.
        """
        if not self.paused:
            return False
        _, waiter = self.paused.pop(index % len(self.paused))
        gevent.get_hub().loop.run_callback(waiter.switch, None)
        self.settle()
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake the sleepers whose time has come, in order."""
        until = self.now + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            self.now, _, wake = heapq.heappop(self._sleepers)
            gevent.get_hub().loop.run_callback(wake)
            self.settle()
        self.now = until

    def pause(self) -> None:
        """Wait until the walk lets this greenlet go on. Does nothing in the hub and the walk."""
        current: Any = gevent.getcurrent()
        if self.is_free and current is not gevent.get_hub() and current is not self._walk:
            self._free_calls += 1
            if self._free_calls % 64 == 0:  # whoever waits for others must not run for ever
                gevent.sleep(0)
        if self.is_free or current is gevent.get_hub() or current is self._walk:
            return
        waiter: Waiter[None] = Waiter()
        item = (current, waiter)
        self.paused.append(item)
        self.pauses[current] += 1
        try:
            waiter.get()
        except BaseException:  # killed
            if item in self.paused:
                self.paused.remove(item)
            raise

    # ------------------------------------------------------------------ for the gateway

    def sleep(self, seconds: float = 0) -> None:
        """Wait until the walk has let the time pass."""
        if seconds <= 0:
            gevent.sleep(0)
            return
        waiter: Waiter[None] = Waiter()
        self.call_at(self.now + seconds, lambda: waiter.switch(None))
        waiter.get()

    def call_at(self, when: float, function: Callable[[], object]) -> None:
        """Call a function in the hub when its time has come."""
        self._count += 1
        heapq.heappush(self._sleepers, (when, self._count, function))

    def io(self, descriptor: int, events: int, **options: Any) -> Any:
        """Make a watcher of a fake socket, or of a real one."""
        if descriptor in self.sockets:
            return _Watcher(self._watchers, self.sockets[descriptor], events)
        return gevent.get_hub().loop.io(descriptor, events, **options)

    def timer(self, after: float, repeat: float = 0.0, **options: object) -> _Timer:
        """Make a timer."""
        return _Timer(self, after, repeat)

    def _replace(self, target: object, name: str, value: object) -> None:
        self._undo.append((target, name, getattr(target, name)))
        setattr(target, name, value)


class _Watcher:
    """A watcher of a fake socket."""

    def __init__(self, active: dict[_Watcher, None], sock: Any, events: int) -> None:
        self._active = active
        self._sock = sock
        self._events = events
        self.callback: Callable[..., object] | None = None
        self.args: tuple[object, ...] = ()

    @property
    def active(self) -> bool:
        return self in self._active

    def start(self, callback: Callable[..., object], *args: object, **options: object) -> None:
        self.callback, self.args = callback, args
        self._active[self] = None

    def stop(self) -> None:
        self._active.pop(self, None)

    def close(self) -> None:
        self.stop()

    def is_ready(self) -> bool:
        writable = self._events & _WRITABLE and self._sock.is_writable
        return bool(writable or (self._events & _READABLE and self._sock.is_readable))

    def fire(self) -> None:
        if self.active and self.is_ready() and self.callback is not None:
            self.callback(*self.args)


class _Timer:
    """A timer whose time the walk lets pass."""

    def __init__(self, loop: ControlledLoop, after: float, repeat: float) -> None:
        self._loop = loop
        self._after, self._repeat = after, repeat
        self._turn = 0
        self.active = False

    def start(self, callback: Callable[..., object], *args: object, **options: object) -> None:
        self.active = True
        self._turn += 1
        self._wait(self._after, self._turn, lambda: callback(*args))

    def again(self, callback: Callable[..., object], *args: object, **options: object) -> None:
        self.start(callback, *args)

    def stop(self) -> None:
        self.active = False
        self._turn += 1

    def close(self) -> None:
        self.stop()

    def _wait(self, seconds: float, turn: int, callback: Callable[[], object]) -> None:
        def fire() -> None:
            if turn != self._turn:
                return
            if self._repeat:
                self._wait(self._repeat, turn, callback)
            else:
                self.active = False
            callback()

        self._loop.call_at(self._loop.now + seconds, fire)


class _Hub:
    """The real hub, with the walk's watchers and timers."""

    def __init__(self, loop: ControlledLoop) -> None:
        self.loop = _Loop(loop)

    def __getattr__(self, name: str) -> Any:
        return getattr(gevent.get_hub(), name)


class _Loop:
    """The real loop, with the walk's watchers and timers."""

    def __init__(self, loop: ControlledLoop) -> None:
        self.io = loop.io
        self.timer = loop.timer

    def __getattr__(self, name: str) -> Any:
        return getattr(gevent.get_hub().loop, name)


class _Gevent:
    """The module ``gevent``, with the walk's hub and sleeps."""

    def __init__(self, loop: ControlledLoop) -> None:
        hub = _Hub(loop)
        self.get_hub = lambda: hub
        self.sleep = loop.sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(gevent, name)
