"""The files that the pages name exist in the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HISTORY = "upgrading.md"
"""The page that names files of earlier versions, too."""
PATTERN = r"\b(?:tests|app|gateway_shim|packaging)/[\w/.-]*\w\.(?:py|md|json|spec|svg|txt)\b"
EXAMPLES = {"app/x/y.py", "tests/app/x/test_y.py"}


def _files() -> list[tuple[str, str]]:
    """Return each page with each of the repository's files that the page names."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [
        (page.name, path)
        for page in pages
        if page.name != HISTORY
        for path in sorted(set(re.findall(PATTERN, page.read_text(encoding="utf-8"))) - EXAMPLES)
    ]


@pytest.mark.parametrize(("page", "path"), _files())
def test_files_exist(page: str, path: str) -> None:
    """Every file that a page names is in the repository."""
    assert (ROOT / path).is_file()
