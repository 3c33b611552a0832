"""Tests that the tests mirror the tree: each module has tests, each test module has a module."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.structure.modules import ROOT, sources

TESTED_ELSEWHERE = {
    "app/__main__.py": "the tests of the command run it",
    "gateway_shim/__main__.py": "tests/gateway_shim/standalone/test_command.py runs it",
    "gateway_shim/parity/__main__.py": "the tests of the command run it",
    "gateway_shim/server/request_worker.py": "needs gunicorn around it: tests/live",
    "gateway_shim/server/worker.py": "needs gunicorn around it: tests/live",
}
"""The modules without a test module of their own, and the reasons."""

TESTED_TOGETHER = {
    "app/bench/sections": "tests/bench/test_sections.py",
    "gateway_shim/parity/scenarios": "tests/gateway_shim/parity/test_scenarios.py",
}
"""The folders whose modules are one kind of data, and the test module of all of them."""


def is_package(path: str) -> bool:
    """Return True for the file of a package."""
    return path.endswith("__init__.py")


def expected_tests(path: str) -> str:
    """Return the path of the test module that a module must have."""
    module = PurePosixPath(path)
    return f"tests/{module.parent}/test_{module.name}"


@pytest.mark.parametrize("path", sources("app", "gateway_shim"))
def test_module_has_tests(path: str) -> None:
    """Each module has a test module at the same place; a package needs none."""
    if is_package(path) or path in TESTED_ELSEWHERE:
        return
    for folder in PurePosixPath(path).parents:
        if together := TESTED_TOGETHER.get(str(folder)):
            assert (ROOT / together).is_file()
            return
    assert (ROOT / expected_tests(path)).is_file()


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sources("tests/app", "tests/gateway_shim")
        if PurePosixPath(path).name.startswith("test_") and path not in TESTED_TOGETHER.values()
    ],
)
def test_tests_have_a_module(path: str) -> None:
    """Each test module is named after a module at the same place: test_module_aspect.py."""
    place = PurePosixPath(path).relative_to("tests")
    words = place.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    if words[0] == "init":
        names = ["__init__"]
    assert any((ROOT / place.parent / f"{name}.py").is_file() for name in names)


@pytest.mark.parametrize("path", TESTED_ELSEWHERE)
def test_exceptions_are_needed(path: str) -> None:
    """Each exception is a module that exists and has no test module."""
    assert (ROOT / path).is_file()
    assert not (ROOT / expected_tests(path)).exists()
