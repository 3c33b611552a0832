"""Tests of the public face of the gateway: the names and modules that an application may import."""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
from pathlib import PurePosixPath

import pytest

import gateway_shim
from gateway_shim import HOMES, SECOND_RING
from tests.structure.modules import ROOT, file_of, imports_of, sources


@functools.cache
def imported_from_gateway(path: str) -> list[tuple[str, str]]:
    """Return what a file imports from the gateway: pairs of a module and a name."""
    found = []
    for source, name in imports_of(ROOT / path, ".".join(PurePosixPath(path).parent.parts)):
        if source.split(".")[0] == "gateway_shim":
            is_module = name and file_of(f"{source}.{name}") is not None
            found.append((f"{source}.{name}", "") if is_module else (source, name))
    return found


APPLICATION = sources("app")


def is_allowed(source: str, name: str) -> bool:
    """Return True if an application may import a name from a module of the gateway."""
    if source == "gateway_shim":
        return name in gateway_shim.__all__
    return source in SECOND_RING or HOMES.get(name) == source


@pytest.mark.parametrize("path", APPLICATION)
def test_application_imports_the_public_face_only(path: str) -> None:
    """The application imports public names and modules of the second ring only."""
    assert [pair for pair in imported_from_gateway(path) if not is_allowed(*pair)] == []


@pytest.mark.parametrize("module", SECOND_RING)
def test_second_ring_is_needed(module: str) -> None:
    """Each module of the second ring exists, and the application imports from it."""
    assert file_of(module) is not None
    assert module in {source for path in APPLICATION for source, _ in imported_from_gateway(path)}


@pytest.mark.parametrize("name", gateway_shim.__all__)
def test_public_name(name: str) -> None:
    """A public name is the object that its home defines."""
    home = importlib.import_module(HOMES[name])
    assert getattr(gateway_shim, name) is getattr(home, name)
    assert name in home.__all__
    assert name in dir(gateway_shim)


def test_tables_agree() -> None:
    """The public names, their homes and the imports for type checkers are the same."""
    path = ROOT / "gateway_shim" / "__init__.py"
    for_types = {
        name: source
        for source, name in imports_of(path, "gateway_shim")
        if source.startswith("gateway_shim.")
    }
    assert for_types == HOMES
    assert sorted(gateway_shim.__all__) == sorted(HOMES)


def test_unknown_name() -> None:
    """A name that is not public is an AttributeError, as in every module."""
    with pytest.raises(AttributeError, match="'gateway_shim' has no attribute 'nothing'"):
        gateway_shim.nothing  # noqa: B018


def test_import_is_light() -> None:
    """Importing the package, or beginning to handle signals, loads neither gevent nor ssl."""
    program = (
        "import sys, gateway_shim, gateway_shim.server.process.start_signals;"
        "print(sorted({'flask', 'gevent', 'gunicorn', 'requests', 'ssl'} & set(sys.modules)))"
    )
    # Coverage is not measured, because it imports gevent.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    result = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
