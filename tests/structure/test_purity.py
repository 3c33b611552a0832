"""Tests that pure modules do no I/O, read no clock and start nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.structure.modules import ROOT, module_name, reached_from, sources

PURE = [
    *(module_name(path) for path in sources("gateway_shim/protocol")),
    "gateway_shim.errors",
    "gateway_shim.http_client.request",
    "gateway_shim.http_client.web_url",
]
"""The pure modules of the gateway: the whole folder protocol/, and two of the HTTP client."""

IMPURE = frozenset(
    {
        "_socket",
        "_thread",
        "asyncio",
        "concurrent",
        "datetime",
        "flask",
        "gevent",
        "greenlet",
        "gunicorn",
        "logging",
        "multiprocessing",
        "os",
        "queue",
        "random",
        "requests",
        "sched",
        "select",
        "selectors",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "threading",
        "time",
        "urllib3",
        "uuid",
        "werkzeug",
    }
)
"""The modules that a pure module must not import, neither directly nor indirectly."""


def impurities(module: str, root: Path = ROOT) -> list[str]:
    """Return the chains of imports that lead from a module to an impure one."""
    found: dict[str, str] = {}
    for name, chain in reached_from(module, root).items():
        top = name.partition(".")[0]
        if top in IMPURE:
            found.setdefault(top, " → ".join([*chain[:-1], top]))
    return sorted(found.values())


@pytest.mark.parametrize("module", PURE)
def test_pure(module: str) -> None:
    """A pure module imports nothing impure, neither directly nor indirectly."""
    assert impurities(module) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import time", ["pkg.a → time"]),
        ("import os.path", ["pkg.a → os"]),
        ("from time import monotonic", ["pkg.a → time"]),
        ("def f():\n    import socket", ["pkg.a → socket"]),
        ("if TYPE_CHECKING:\n    import socket", ["pkg.a → socket"]),
        ("from pkg import b", ["pkg.a → pkg.b → pkg.c → gevent"]),
        ("from pkg.b import X", ["pkg.a → pkg.b → pkg.c → gevent"]),
        ("from . import b", ["pkg.a → pkg.b → pkg.c → gevent"]),
        ("from .b import X", ["pkg.a → pkg.b → pkg.c → gevent"]),
        ("import pkg.c", ["pkg.a → pkg.c → gevent"]),
        ("import json, re\nfrom timeit import x", []),
        ("from pkg import d", []),
    ],
)
def test_impurities(text: str, expected: list[str], tmp_path: Path) -> None:
    """An impure import is found wherever it is, and through any chain of imports."""
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text(text)
    (package / "b.py").write_text("from pkg.c import X")
    (package / "c.py").write_text("import gevent.event")
    (package / "d.py").write_text("from pkg import a")
    assert impurities("pkg.a", tmp_path) == expected
