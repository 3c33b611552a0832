"""docs/deploy.md: its unit files are ones that systemd takes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.server import ROOT


@pytest.mark.needs("systemd-analyze")
def test_unit_files(tmp_path: Path) -> None:
    """As systemd-analyze sees it; the binary stands at another place here."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    found = re.findall(r"system/(sse-monolith\.\w+)`.*?```ini\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in found] == ["sse-monolith.socket", "sse-monolith.service"]
    for name, unit in found:
        (tmp_path / name).write_text(unit.replace("/usr/local/bin/sse-monolith", "/bin/sh"))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name, _ in found)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
