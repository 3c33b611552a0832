"""Chromium as tests use it: contexts, which share nothing, and tabs.

:mod:`tests.browser.driver` runs the methods of Playwright, which needs a process that gevent has
not patched.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

from tests.support.parts import CHROMIUM
from tests.support.processes.companion import Companion
from tests.support.timing import TIME_LIMIT

__all__ = ["Browser", "BrowserError", "Context", "Tab"]

_MILLISECONDS = TIME_LIMIT * 1000


class BrowserError(AssertionError):
    """Playwright has raised an error, for example because a wait took too long."""


class Browser(Companion):
    """A context manager that starts Chromium. All tests of a process share it.

    Attributes:
        contexts: the open contexts.
    """

    def __init__(self) -> None:
        assert CHROMIUM is not None
        super().__init__("tests.browser.driver", [CHROMIUM])
        self.contexts: set[Context] = set()

    def context(self, **options: Any) -> Context:
        """Make a context.

        Args:
            options: the options of Playwright's ``new_context``, such as ``color_scheme="dark"``.
        """
        context = Context(self, self.run(do="context", options=options))
        self.contexts.add(context)
        return context

    def run(self, **command: Any) -> Any:
        """Run a command in the driver, and return its result.

        Raises:
            BrowserError: Playwright has raised an error.
        """
        self.write_line(json.dumps(command))
        return self._read()

    def _read(self) -> Any:
        answer = json.loads(self.read_line())
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["result"]

    def _wait_until_ready(self) -> None:
        self._read()

    def _stop(self) -> None:
        assert self.finish() == 0


class Context:
    """A context manager: a browser profile of its own, with its tabs, storage and shared workers.

    Args:
        browser: the browser.
        number: the driver's number of the context.
    """

    def __init__(self, browser: Browser, number: int) -> None:
        self._browser = browser
        self._number = number

    def tab(self, url: str | None = None) -> Tab:
        """Open a tab, and load a URL in it."""
        tab = Tab(self._browser, self._browser.run(do="page", context=self._number))
        if url is not None:
            tab.goto(url)
        return tab

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of Playwright's context, such as ``set_offline``."""
        return self._browser.run(
            do="context_call", context=self._number, method=method, args=args, kwargs=kwargs
        )

    def close(self) -> None:
        """Close the context and its tabs."""
        self._browser.run(do="close_context", context=self._number)
        self._browser.contexts.discard(self)

    def __enter__(self) -> Self:
        """Return the context."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the context."""
        self.close()


class Tab:
    """A tab, in which a page is loaded.

    Args:
        browser: the browser.
        number: the driver's number of the page.
    """

    def __init__(self, browser: Browser, number: int) -> None:
        self._browser = browser
        self._number = number

    def goto(self, url: str, wait_until: str = "load") -> None:
        """Load a URL."""
        self.call("goto", url, wait_until=wait_until, timeout=_MILLISECONDS)

    def reload(self) -> None:
        """Load the page again."""
        self.call("reload", timeout=_MILLISECONDS)

    def close(self) -> None:
        """Close the tab, as a user does: the page's ``pagehide`` runs."""
        self.call("close")

    def evaluate(self, expression: str, argument: object = None) -> Any:
        """Run JavaScript in the page, and return its result. A promise is waited for."""
        return self.call("evaluate", expression, argument)

    def wait_for(self, expression: str, argument: object = None) -> None:
        """Wait until a JavaScript expression, or the result of a function, is true in the page.

        Raises:
            BrowserError: it did not become true in time.
        """
        self._browser.run(
            do="wait_for",
            page=self._number,
            expression=expression,
            argument=argument,
            seconds=TIME_LIMIT,
        )

    def call(self, path: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of Playwright's page, such as ``screenshot`` or ``keyboard.press``."""
        return self._browser.run(
            do="call", page=self._number, path=path.split("."), args=args, kwargs=kwargs
        )

    def locate(self, selector: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the locator of a selector, such as ``click`` or ``inner_text``."""
        return self._browser.run(
            do="locate",
            page=self._number,
            selector=selector,
            method=method,
            args=args,
            kwargs=kwargs,
        )

    def click(self, selector: str) -> None:
        """Click an element, once it can be clicked."""
        self.locate(selector, "click", timeout=_MILLISECONDS)

    def fill(self, selector: str, text: str) -> None:
        """Replace the text of a field."""
        self.locate(selector, "fill", text, timeout=_MILLISECONDS)

    def text(self, selector: str) -> str:
        """Return the visible text of an element, once it is there."""
        text: str = self.locate(selector, "inner_text", timeout=_MILLISECONDS)
        return text

    def cdp(self, method: str, **params: Any) -> Any:
        """Send a command of the Chrome DevTools Protocol, such as ``Page.crash``."""
        return self._browser.run(do="cdp", page=self._number, method=method, params=params)

    @property
    def complaints(self) -> list[str]:
        """The errors and warnings of the page's console, and its uncaught errors."""
        complaints: list[str] = self._browser.run(do="complaints", page=self._number)
        return complaints
