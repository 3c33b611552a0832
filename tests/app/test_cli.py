"""Tests of the entry point; tests/app/commands/test_group.py has the commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

# Prints how signals are handled, and whether click was imported, when the commands are imported.
_STUB = """
import signal, sys, types

class Commands(types.ModuleType):
    def __getattr__(self, name):
        if name != "command_group":
            raise AttributeError(name)
        loaded = "click" in sys.modules
        interrupt = signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
        return lambda places: lambda prog_name: print(loaded, interrupt, hangup, prog_name)

sys.modules["app.commands.group"] = Commands("app.commands.group")
from app.cli import main
main()
"""


@pytest.mark.parametrize(
    ("command", "hangup_ends"), [("serve", False), ("gateway", True), ("watch", True)]
)
def test_signals_before_the_commands_are_imported(command: str, hangup_ends: bool) -> None:
    """Before the commands are imported, SIGINT ends the process; SIGHUP ends all but ``serve``."""
    ran = subprocess.run(
        [sys.executable, "-c", _STUB, command], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert ran.stdout.split() == ["False", "True", str(hangup_ends), "None"]


@pytest.mark.parametrize(
    ("command", "kept"), [("serve", True), ("gateway", True), ("config", False)]
)
def test_commands_and_the_interrupt(command: str, kept: bool) -> None:
    """SIGINT raises KeyboardInterrupt in a command that is not a server."""
    code = (
        "import signal; from gateway_shim.server.process.start_signals import START; START.begin();"
        "from app.cli import COMMANDS; from app.commands.group import command_group;"
        f"command_group(COMMANDS).get_command(None, {command!r});"
        "print(signal.getsignal(signal.SIGINT) is signal.SIG_DFL)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert ran.stdout.strip() == str(kept)
