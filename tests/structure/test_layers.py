"""Tests of the layers: imports run downwards only, and never in a circle."""

from __future__ import annotations

import functools

import pytest

from tests.structure.modules import circles, import_graph, module_name, sources

LAYERS = (
    ("errors", "log_lines"),
    ("protocol",),
    ("event_loop",),
    ("event_log",),
    ("streams", "http_client"),
    ("server",),
    ("standalone",),
    ("__main__",),
)
"""The parts of the gateway from the lowest layer to the highest. A part may import itself and the
parts of lower layers, but no other part of its own layer."""

KIT_MAY_IMPORT = (
    "gateway_shim.errors",
    "gateway_shim.log_lines.output",
    "gateway_shim.parity",
    "gateway_shim.protocol",
)
"""The modules that the contract kit may import: it must judge the other ones."""

GATEWAY = sorted(map(module_name, sources("gateway_shim")))[1:]
"""The modules of the gateway, without the package itself."""

LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}


@functools.cache  # not a constant: each process that collects tests would read all files
def graph() -> dict[str, set[str]]:
    """Return which modules each module imports."""
    return import_graph("app", "gateway_shim")


def part_of(module: str) -> str:
    """Return the part of the gateway that a module belongs to."""
    return module.split(".")[1]


@pytest.mark.parametrize("module", GATEWAY)
def test_imports_run_downwards(module: str) -> None:
    """A module of the gateway imports its own part and lower layers only."""
    part = part_of(module)
    if part == "parity":
        allowed = tuple(f"{name}." for name in KIT_MAY_IMPORT)
        assert [name for name in graph()[module] if not f"{name}.".startswith(allowed)] == []
        return
    assert part in LEVELS, f"{module} belongs to no layer: add {part} to LAYERS"
    wrong = [
        name
        for name in graph()[module]
        if name.startswith("gateway_shim.")
        and part_of(name) != part
        and LEVELS.get(part_of(name), len(LAYERS)) >= LEVELS[part]
    ]
    assert wrong == []


@pytest.mark.parametrize("module", GATEWAY)
def test_gateway_does_not_import_the_application(module: str) -> None:
    """No module of the gateway imports the application."""
    assert [name for name in graph()[module] if name.split(".")[0] == "app"] == []


@pytest.mark.parametrize("module", GATEWAY)
def test_gateway_does_not_import_its_public_face(module: str) -> None:
    """A module of the gateway imports names from the modules that define them."""
    assert "gateway_shim" not in graph()[module]


def test_no_circles() -> None:
    """No modules import each other, not even in functions or for types only."""
    assert circles(graph()) == []


def test_every_layer_exists() -> None:
    """Every part that the table names is there."""
    assert {part_of(name) for name in GATEWAY} == {*LEVELS, "parity"}
