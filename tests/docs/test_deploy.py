"""docs/deploy.md: its unit files are valid, and its image has safe settings."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.commands.healthcheck import healthcheck_command
from app.config import load_settings
from app.config.combinations import safety_hints
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT


@pytest.mark.needs("systemd-analyze")
def test_unit_files(tmp_path: Path) -> None:
    """systemd-analyze accepts the unit files, with another path of the binary."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    found = re.findall(r"system/(sse-monolith\.\w+)`.*?```ini\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in found] == ["sse-monolith.socket", "sse-monolith.service"]
    for name, unit in found:
        (tmp_path / name).write_text(unit.replace("/usr/local/bin/sse-monolith", "/bin/sh"))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / name for name, _ in found)],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_image_is_safe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a secret, the settings of the image are valid and cause no safety hints."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ENV (.*)$", text, re.M)
    monkeypatch.chdir(tmp_path)
    for pair in [*line.split(), "SSE_CALLBACK_SECRET=s3cret"]:
        name, _, value = pair.partition("=")
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.host, settings.admin_bind, settings.allow_open) == (
        "::",
        "127.0.0.1:5001",
        "",
    )
    assert safety_hints(settings) == []


def test_the_gateway_in_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The health check of the image uses the port where the recipe starts the gateway."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ENV (.*)$", text, re.M)
    (recipe,) = re.findall(r"docker run ([^`]*) sse-monolith gateway\n", text)
    monkeypatch.chdir(tmp_path)
    for pair in [*line.split(), *re.findall(r"-e (\w+=\S+)", recipe)]:
        name, _, value = pair.partition("=")
        monkeypatch.setenv(name, value)
    checked: list[str] = []
    monkeypatch.setattr(
        "app.commands.healthcheck.problem", lambda url, *_, **__: checked.append(url)
    )
    ran = CliRunner().invoke(healthcheck_command, [])
    assert (ran.exit_code, checked) == (0, [f"http://127.0.0.1:{os.environ['PORT']}/healthz"])
