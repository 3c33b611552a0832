"""The texts of a page, and its complaints."""

from __future__ import annotations

from tests.browser.tabs import Tab

__all__ = ["complaints", "texts"]


def texts(tab: Tab, selector: str) -> list[str]:
    """Return the texts of all elements that a selector matches."""
    found: list[str] = tab.evaluate(
        "selector => [...document.querySelectorAll(selector)].map((item) => item.textContent)",
        selector,
    )
    return found


def complaints(tab: Tab) -> list[str]:
    """Return the complaints of a page, but for requests that the server has refused.

    The browser notes each of them itself. The tests look at what the page says.
    """
    return [text for text in tab.complaints if "Failed to load resource" not in text]
