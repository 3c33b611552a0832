"""Tests of the import graph that the other tests of this folder use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.structure.modules import circles, file_of, import_graph, module_name, reached_from


def package(folder: Path, **modules: str) -> Path:
    """Write a package ``pkg`` with some modules, and return the folder that it is in."""
    (folder / "pkg").mkdir()
    for name, text in {"__init__": "", **modules}.items():
        (folder / "pkg" / f"{name}.py").write_text(text)
    return folder


def test_module_name() -> None:
    """A module is named by its path, and a package by its folder."""
    assert module_name("app/tasks/base.py") == "app.tasks.base"
    assert module_name("app/tasks/__init__.py") == "app.tasks"


def test_file_of(tmp_path: Path) -> None:
    """The file of a module or of a package is found; other modules have none."""
    package(tmp_path, a="")
    assert file_of("pkg.a", tmp_path) == tmp_path / "pkg" / "a.py"
    assert file_of("pkg", tmp_path) == tmp_path / "pkg" / "__init__.py"
    assert file_of("json", tmp_path) is None


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        ("import time", ["pkg.a", "time"]),
        ("import os.path", ["pkg.a", "os.path"]),
        ("from time import monotonic", ["pkg.a", "time"]),
        ("def f():\n    import time", ["pkg.a", "time"]),
        ("if TYPE_CHECKING:\n    import time", ["pkg.a", "time"]),
        ("from pkg import b", ["pkg.a", "pkg.b", "time"]),
        ("from pkg.b import X", ["pkg.a", "pkg.b", "time"]),
        ("from . import b", ["pkg.a", "pkg.b", "time"]),
        ("from .b import X", ["pkg.a", "pkg.b", "time"]),
    ],
)
def test_reached_from(text: str, chain: list[str], tmp_path: Path) -> None:
    """An import is found wherever it is in a file, and through other modules."""
    package(tmp_path, a=text, b="import time")
    assert chain in reached_from("pkg.a", tmp_path).values()


def test_packages_around_a_module(tmp_path: Path) -> None:
    """The package around a module counts, but not what it imports only for types."""
    text = "import json\nif TYPE_CHECKING:\n    import time"
    package(tmp_path, a="", __init__=text)
    reached = reached_from("pkg.a", tmp_path)
    assert "json" in reached
    assert "time" not in reached
    assert "time" in reached_from("pkg", tmp_path)


def test_circles(tmp_path: Path) -> None:
    """Modules that import each other are a circle, also by imports in functions and for types."""
    package(
        tmp_path,
        a="from pkg.b import X",
        b="def f():\n    from pkg import c",
        c="if TYPE_CHECKING:\n    from .a import X",
        d="from pkg import a",
    )
    graph = import_graph("pkg", root=tmp_path)
    assert graph["pkg.d"] == {"pkg.a"}
    assert circles(graph) == [["pkg.a", "pkg.b", "pkg.c"]]
    assert circles({"a": {"b"}, "b": set()}) == []
