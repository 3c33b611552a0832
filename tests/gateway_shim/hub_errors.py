"""The event loop in tests: errors that reach the hub, and waiting for its next turns."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import gevent

from tests.support.timing import wait_until

__all__ = ["HubErrors", "soon"]

T = TypeVar("T")


class HubErrors:
    """A context manager that fails if an error reaches the hub.

    Attributes:
        seen: the errors that reached the hub. A test that expects some clears the list.
    """

    def __init__(self) -> None:
        self.seen: list[BaseException] = []

    def __enter__(self) -> Self:
        """Start to collect the errors."""
        self._hub = gevent.get_hub()
        self._outer = self._hub.__dict__.get("handle_error")  # of a gateway around this one
        self._hub.handle_error = self._note  # type: ignore[method-assign]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Fail if there were errors, unless the test has failed already."""
        del self._hub.handle_error
        if self._outer is not None:
            self._hub.handle_error = self._outer
        if error is None:
            assert self.seen == []

    def _note(self, context: object, kind: object, value: BaseException, trace: object) -> None:
        if not isinstance(value, gevent.GreenletExit):
            self.seen.append(value)


def soon(predicate: Callable[[], T | None], what: str) -> T:
    """Wait for a result that a few turns of the hub should bring, without a pause between them.

    Args:
        predicate: returns the result, or something false while there is none.
        what: names the result in the error.

    Raises:
        TimeLimitPassed: the result did not come.
    """
    for _ in range(100):
        answer = predicate()
        if answer:
            return answer
        gevent.sleep(0)
    return wait_until(predicate, what)
