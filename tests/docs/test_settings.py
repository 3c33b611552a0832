"""docs/settings.md is the reference that the settings generate."""

from __future__ import annotations

import re

from app.config import Settings
from app.config.reference import reference
from tests.support.processes.server import ROOT

PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_the_page_is_the_generated_reference() -> None:
    """Generating the page again gives the same page; its first lines say how."""
    assert reference() == PAGE


def test_the_page_lists_every_setting_once() -> None:
    """Each setting has one row with its name, its default, its values and a description."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [name.lower() for name, *_ in rows] == list(Settings.model_fields)


def test_the_links_of_the_page_lead_to_files() -> None:
    """Every link of the page is a file beside it."""
    targets = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert targets
    assert all((ROOT / "docs" / target).is_file() for target in targets)
