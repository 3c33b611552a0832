"""The parts that some tests need and a machine may not have, and the commands that install them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["BINARY", "CHROMIUM", "NGINX", "PARTS", "Part", "missing", "require", "summary"]

BINARY = Path(__file__).resolve().parents[2] / "dist" / "sse-monolith"
CHROMIUM = shutil.which("chromium")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@dataclass(frozen=True)
class Part:
    """A part of the machine that tests with the marker ``needs`` require.

    Args:
        name: the name of the part in messages.
        is_there: returns True if this machine has the part.
        install: the command that installs the part.
    """

    name: str
    is_there: Callable[[], bool]
    install: str


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _may_make_networks() -> bool:
    return os.geteuid() == 0 and shutil.which("ip") is not None


PARTS = {
    "binary": Part("the one-file binary", BINARY.exists, "make binary"),
    "chromium": Part("Chromium", lambda: CHROMIUM is not None, "apt-get install chromium"),
    "matplotlib": Part(
        "matplotlib", lambda: _has_module("matplotlib"), "pip install -e '.[bench]'"
    ),
    "networks": Part(
        "root and the command ip", _may_make_networks, "apt-get install iproute2, and sudo"
    ),
    "nginx": Part("nginx", lambda: NGINX is not None, "apt-get install nginx-light"),
    "node": Part("Node.js", lambda: shutil.which("node") is not None, "apt-get install nodejs"),
    "npm": Part("npm", lambda: shutil.which("npm") is not None, "apt-get install npm"),
    "playwright": Part("Playwright", lambda: _has_module("playwright"), "pip install -e '.[test]'"),
    "ps": Part("the command ps", lambda: shutil.which("ps") is not None, "apt-get install procps"),
    "redis": Part(
        "redis-server",
        lambda: shutil.which("redis-server") is not None,
        "apt-get install redis-server",
    ),
    "root": Part("root", lambda: os.geteuid() == 0, "sudo"),
    "systemd-analyze": Part(
        "systemd-analyze",
        lambda: shutil.which("systemd-analyze") is not None,
        "apt-get install systemd",
    ),
}
"""All parts, by their names in the marker: ``@pytest.mark.needs("nginx")``."""


def missing(names: Iterable[str]) -> str | None:
    """Return the parts that this machine does not have, with the commands that install them.

    Args:
        names: the names of the parts.

    Returns:
        The missing parts as text; None if this machine has all of them.

    Raises:
        KeyError: there is no part with this name.
    """
    missing_parts = [PARTS[name] for name in names if not PARTS[name].is_there()]
    return "; ".join(f"{part.name} ({part.install})" for part in missing_parts) or None


def require(names: Iterable[str]) -> None:
    """Skip the current test if a part is missing on this machine. If CI is set, fail the test."""
    missing_parts = missing(names)
    if missing_parts is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must run this test; missing: {missing_parts}", pytrace=False)
    pytest.skip(missing_parts)


def summary(reasons: Iterable[str]) -> list[str]:
    """Return one line for each reason, with the number of tests that were skipped for it.

    Args:
        reasons: the reasons, one for each skipped test.
    """
    counted = sorted(Counter(reasons).items())
    return [f"{count} test{'s' * (count != 1)} skipped: {reason}" for reason, count in counted]
