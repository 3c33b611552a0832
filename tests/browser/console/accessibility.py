"""The check of a page's accessibility with axe-core."""

from __future__ import annotations

from functools import cache

from tests.browser.packages_folder import installed_packages
from tests.browser.tabs import Tab

__all__ = ["violations"]

_RUN = """async () => (await axe.run()).violations.map(({id, nodes}) =>
  [id, ...nodes.map((node) => node.target.join(" ") + ": " + node.failureSummary)].join("; "))"""


def violations(tab: Tab) -> list[str]:
    """Return the rules that a page violates, with the elements; an empty list if there are none."""
    tab.evaluate(_axe())
    found: list[str] = tab.evaluate(_RUN)
    return found


@cache
def _axe() -> str:
    return (installed_packages() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
