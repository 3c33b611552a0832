"""Fixtures of the kit's tests: the shim as a command, and a player on a running shim."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.parity.play.player import Player
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.scenario import Process

ROOT = Path(__file__).parents[3]
PATIENCE = 2.0


def command(module: str, *arguments: str, dialect: str = "named") -> Command:
    """Return a Python module of this project as a gateway's command, with little patience."""
    words = " ".join((f"'{sys.executable}'", "-m", module, *arguments))
    environment = (("PYTHONPATH", str(ROOT)), ("SSE_DIALECT", dialect))
    return Command(words, environment, players_at_once=1, patience=PATIENCE)


@pytest.fixture(scope="session")
def shim() -> Command:
    """Provide the shim as a command."""
    return command("gateway_shim")


@pytest.fixture(scope="session")
def running_shim(shim: Command) -> Iterator[Player]:
    """Provide a player whose gateway is the shim."""
    with shim.player(Process()) as player:
        yield player
