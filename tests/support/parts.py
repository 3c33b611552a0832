"""The real parts that some tests need and a machine may lack, and how to install each."""

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
    """Something that tests with the marker ``needs`` cannot do without.

    Args:
        name: what it is, for people.
        is_there: whether this machine has it.
        install: the command that installs it.
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
    "playwright": Part("Playwright", lambda: _has_module("playwright"), "pip install -e '.[test]'"),
    "ps": Part("the command ps", lambda: shutil.which("ps") is not None, "apt-get install procps"),
    "root": Part("root", lambda: os.geteuid() == 0, "sudo"),
    "systemd-analyze": Part(
        "systemd-analyze",
        lambda: shutil.which("systemd-analyze") is not None,
        "apt-get install systemd",
    ),
}
"""By the name that the marker gives: ``@pytest.mark.needs("nginx")``."""


def missing(names: Iterable[str]) -> str | None:
    """What a test needs and this machine lacks, with the commands; None if nothing.

    Raises:
        KeyError: there is no part of that name.
    """
    absent = [PARTS[name] for name in names if not PARTS[name].is_there()]
    return "; ".join(f"{part.name} ({part.install})" for part in absent) or None


def require(names: Iterable[str]) -> None:
    """Skip the running test if this machine lacks what it needs; where CI is set, fail it."""
    lacking = missing(names)
    if lacking is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must run this test; missing: {lacking}", pytrace=False)
    pytest.skip(lacking)


def summary(reasons: Iterable[str]) -> list[str]:
    """One line for each reason why tests were skipped, with how many of them.

    Args:
        reasons: one for each skipped test.
    """
    counted = sorted(Counter(reasons).items())
    return [f"{count} test{'s' * (count != 1)} skipped: {reason}" for reason, count in counted]
