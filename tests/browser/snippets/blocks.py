"""The pages and scripts that docs/frontend.md and README.md show."""

from __future__ import annotations

import re

from tests.support.processes.server import ROOT

__all__ = ["README_PAGE", "SNIPPETS"]

_BLOCK = re.compile(r"^```(?:js|html)\n(?:// |<!-- )(\S+?)(?: -->)?\n(.*?)^```$", re.M | re.S)

SNIPPETS: dict[str, str] = dict(
    _BLOCK.findall((ROOT / "docs" / "frontend.md").read_text(encoding="utf-8"))
)
"""The contents of docs/frontend.md's blocks, by the file names in their first lines."""

(README_PAGE,) = re.findall(
    r"^```html\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S
)
"""The page of the README."""
