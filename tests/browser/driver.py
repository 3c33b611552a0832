"""The program that controls Chromium for tests: ``python -m tests.browser.driver CHROMIUM``.

Playwright needs a process that gevent has not patched. The program reads commands as JSON lines
from standard input and prints one JSON line for each: ``{"result": …}`` or ``{"error": "…"}``. A
command names an object of Playwright's API, a method and its arguments, so that every method can be
used from a test. :mod:`tests.browser.tabs` is the other side.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.browser.page import ARGUMENTS, give_up_priority

_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 80.0
"""The pauses between two looks at a condition grow, in milliseconds: each look costs about 5 ms."""


class Driver:
    """The contexts and pages of one browser.

    Args:
        browser: Playwright's browser.
    """

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._pages: list[Page] = []
        self._complaints: list[list[str]] = []

    def run(self, command: dict[str, Any]) -> Any:
        """Run one command, and return its result as JSON can have it."""
        return getattr(self, f"do_{command.pop('do')}")(**command)

    def do_context(self, options: dict[str, Any]) -> int:
        """Open a browser context, which shares nothing with others, and return its number."""
        self._contexts.append(self._browser.new_context(**options))
        return len(self._contexts) - 1

    def do_close_context(self, context: int) -> None:
        """Close a context and its pages."""
        with contextlib.suppress(PlaywrightError):  # a crashed page may have taken it along
            self._contexts[context].close()

    def do_page(self, context: int) -> int:
        """Open a page, and return its number."""
        page = self._contexts[context].new_page()
        complaints: list[str] = []

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complaints.append(f"{message.type}: {message.text} ({message.location})")

        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        self._pages.append(page)
        self._complaints.append(complaints)
        return len(self._pages) - 1

    def do_complaints(self, page: int) -> list[str]:
        """Return the errors and warnings of a page's console, and its uncaught errors."""
        return self._complaints[page]

    def do_call(self, page: int, path: list[str], args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call a method of a page, such as ``["keyboard", "press"]``, and return its result."""
        target: Any = self._pages[page]
        for name in path:
            target = getattr(target, name)
        return target(*args, **kwargs) if callable(target) else target

    def do_wait_for(self, page: int, expression: str, argument: Any, seconds: float) -> None:
        """Evaluate an expression again and again until it is true.

        Playwright's own wait evaluates it inside the page, where a policy without ``unsafe-eval``
        forbids that. A page that is just being loaded may not have an element yet, or it is left
        for another page at this moment: both count as false.
        """
        current = self._pages[page]
        deadline = time.monotonic() + seconds
        pause, exception = _FIRST_PAUSE, ""
        while True:
            try:
                if current.evaluate(expression, argument):
                    return
            except PlaywrightError as error:
                exception = f"; it raised {error}"
                if "TypeError" not in exception and "context was destroyed" not in exception:
                    raise
            if time.monotonic() > deadline:
                raise PlaywrightError(f"waited {seconds:.0f} s for {expression}{exception}")
            current.wait_for_timeout(pause)
            pause = min(pause * 1.3, _LONGEST_PAUSE)

    def do_locate(
        self, page: int, selector: str, method: str, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Call a method of the locator of a selector, and return its result."""
        return getattr(self._pages[page].locator(selector), method)(*args, **kwargs)

    def do_context_call(
        self, context: int, method: str, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Call a method of a context, such as ``set_offline``, and return its result."""
        return getattr(self._contexts[context], method)(*args, **kwargs)

    def do_cdp(self, page: int, method: str, params: dict[str, Any]) -> Any:
        """Send a command of the Chrome DevTools Protocol to a page, and return its result."""
        current = self._pages[page]
        return current.context.new_cdp_session(current).send(method, params)


def _as_json(value: Any) -> str:
    try:
        return json.dumps({"result": value})
    except TypeError:  # an object of Playwright's, which no test needs
        return json.dumps({"result": None})


def main(chromium: str) -> None:
    """Run the commands of standard input until it ends."""
    give_up_priority()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        driver = Driver(browser)
        print(json.dumps({"result": "ready"}), flush=True)
        for line in sys.stdin:
            try:
                answer = _as_json(driver.run(json.loads(line)))
            except PlaywrightError as error:
                answer = json.dumps({"error": str(error)})
            print(answer, flush=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
