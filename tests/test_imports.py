"""What may import what, and that every module has its tests."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PURE = (
    *(
        path.relative_to(ROOT / "gateway_shim").with_suffix("").as_posix().replace("/", ".")
        for path in sorted((ROOT / "gateway_shim" / "protocol").rglob("*.py"))
        if path.name != "__init__.py"
    ),
    *("http_client.request", "http_client.web_url"),
)
"""The modules of the gateway that decide and do no I/O."""

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
"""What a pure module must not import, however indirectly."""

TESTED_ELSEWHERE = {
    "app/__main__.py": "the command's own tests run it",
    "gateway_shim/__main__.py": "tests/gateway_shim/standalone/test_command.py runs it",
    "gateway_shim/parity/__main__.py": "the command's own tests run it",
    "gateway_shim/server/request_worker.py": "needs a gunicorn around it: tests/live",
    "gateway_shim/server/worker.py": "needs a gunicorn around it: tests/live",
}
"""Modules without a test module of their own, and why."""

TESTED_TOGETHER = {
    "app/bench/sections": "tests/bench/test_sections.py",
    "gateway_shim/parity/scenarios": "tests/gateway_shim/parity/test_scenarios.py",
}
"""Folders whose modules are one kind of data, and the one test module of all of them."""


def imports_of(path: Path, package: str) -> Iterator[str]:
    """Every module that a file imports, by its full name, wherever in the file.

    Args:
        path: the file.
        package: the package that it is in, with dots.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            yield source
            # What is imported may be a module itself.
            yield from (f"{source}.{alias.name}" for alias in node.names)


def file_of(module: str, root: Path) -> Path | None:
    """A module's file below ``root``; None if it is none of ours."""
    path = root / Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def reached_from(module: str, root: Path) -> dict[str, list[str]]:
    """Everything that importing a module imports.

    Follows those below ``root``; takes every other as it is.

    Returns:
        Each module's name, and the way that leads to it.
    """
    ways = {module: [module]}
    waiting = deque([module])
    while waiting:
        name = waiting.popleft()
        path = file_of(name, root)
        if path is None:
            continue
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        # Importing a.b.c runs a and a.b too.
        parents = [name.rsplit(".", count)[0] for count in range(1, name.count(".") + 1)]
        for imported in [*imports_of(path, package), *parents]:
            if imported not in ways:
                ways[imported] = [*ways[name], imported]
                waiting.append(imported)
    return ways


def impurities(module: str, root: Path) -> list[str]:
    """The ways by which a module imports what a pure one must not."""
    found = {}
    for name, way in reached_from(module, root).items():
        top = name.partition(".")[0]
        if top in IMPURE:
            found.setdefault(top, " → ".join([*way[:-1], top]))
    return sorted(found.values())


def sources(*packages: str) -> list[str]:
    """Every module's file, seen from the repository."""
    return sorted(
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*.py")
    )


@pytest.mark.parametrize("name", PURE)
def test_pure(name: str) -> None:
    """These modules do no I/O, know no clock and start nothing, nor does what they import."""
    assert impurities(f"gateway_shim.{name}", ROOT) == []


@pytest.mark.parametrize("path", sources("gateway_shim"))
def test_gateway_does_not_know_its_backend(path: str) -> None:
    """The gateway never imports the application."""
    package = ".".join(Path(path).parent.parts)
    assert not [name for name in imports_of(ROOT / path, package) if name.split(".")[0] == "app"]


@pytest.mark.parametrize("path", sources("app", "gateway_shim"))
def test_every_module_has_a_test_module(path: str) -> None:
    """A module's tests are where its name says; a package that only exports needs none."""
    module = Path(path)
    if module.name == "__init__.py" or path in TESTED_ELSEWHERE:
        return
    for folder in module.parents:
        if together := TESTED_TOGETHER.get(str(folder)):
            assert (ROOT / together).is_file()
            return
    assert (ROOT / "tests" / module.parent / f"test_{module.name}").is_file()


@pytest.mark.parametrize("path", TESTED_ELSEWHERE)
def test_exceptions_are_needed(path: str) -> None:
    """An exception is for a module that is there and has no test module."""
    module = Path(path)
    assert (ROOT / module).is_file()
    assert not (ROOT / "tests" / module.parent / f"test_{module.name}").exists()


# ------------------------------------------------------------------------- the rule itself


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import time", ["pkg.a → time"]),
        ("import os.path", ["pkg.a → os"]),
        ("from time import monotonic", ["pkg.a → time"]),
        ("def f():\n    import socket", ["pkg.a → socket"]),
        ("from pkg import b", ["pkg.a → pkg.b → pkg.c → gevent"]),
        ("from pkg.b import X", ["pkg.a → pkg.b → pkg.c → gevent"]),
        ("from . import b", ["pkg.a → pkg.b → pkg.c → gevent"]),
        ("from .b import X", ["pkg.a → pkg.b → pkg.c → gevent"]),
        ("import pkg.c", ["pkg.a → pkg.c → gevent"]),
        ("import json, re\nfrom timeit import x", []),
        ("from pkg import d", []),
    ],
)
def test_the_rule_finds(text: str, expected: list[str], tmp_path: Path) -> None:
    """A forbidden import is found wherever it is and whatever leads there, and nothing else."""
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text(text)
    (package / "b.py").write_text("from pkg.c import X")
    (package / "c.py").write_text("import gevent.event")
    (package / "d.py").write_text("from pkg import a")
    assert impurities("pkg.a", tmp_path) == expected
