"""The command ``licenses``."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from app.commands import licenses as module
from app.commands.licenses import licenses_command
from app.program.licenses import Component

RULE = "=" * 78


@pytest.fixture(autouse=True)
def _components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the program has two parts."""
    listed = [Component("one", "1.0", "MIT", "Text.\n"), Component("two", "", "BSD", "")]
    monkeypatch.setattr(module, "components", lambda: listed)


def test_short() -> None:
    """With ``--short``, each part is one line."""
    result = CliRunner().invoke(licenses_command, ["--short"])
    assert (result.exit_code, result.output) == (0, "one 1.0: MIT\ntwo: BSD\n")


def test_whole() -> None:
    """The list of parts is followed by the text of each license."""
    result = CliRunner().invoke(licenses_command)
    assert (result.exit_code, result.output) == (
        0,
        "one 1.0: MIT\ntwo: BSD\n"
        f"\n{RULE}\none 1.0: MIT\n{RULE}\n\nText.\n"
        f"\n{RULE}\ntwo: BSD\n{RULE}\n\n(It comes without a license text.)\n",
    )
