"""Views use the services of the application that answers the request."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers
from dependency_injector.wiring import Provide
from flask import Flask

from app import api
from app.api.injection import CONTAINER, inject
from app.config import Settings
from app.container import ServiceContainer


def application(**settings: Any) -> Flask:
    """Return an application with its services only."""
    app = Flask("small")
    app.extensions[CONTAINER] = ServiceContainer(settings=Settings(_env_file=None, **settings))
    return app


@inject
def view(name: str, settings: Settings = Provide[ServiceContainer.settings]) -> tuple[str, int]:
    """Return a setting of the application."""
    return name, settings.port


def test_each_application_has_its_own_services() -> None:
    """Two applications use their own services, in turn and one inside the other."""
    one, two = application(port=1), application(port=2)
    with one.app_context():
        assert view("a") == ("a", 1)
        with two.app_context():
            assert view("b") == ("b", 2)
        assert view(name="c") == ("c", 1)


def test_a_given_service_is_used() -> None:
    """A caller may pass its own service; a view keeps its name."""
    with application(port=1).app_context():
        assert view("a", settings=Settings(_env_file=None, port=9)) == ("a", 9)
    assert (view.__name__, view.__doc__) == ("view", "Return a setting of the application.")


def test_a_fake_is_used() -> None:
    """A provider that a test overrides is used by views as well."""
    app = application(port=1)
    fake = Settings(_env_file=None, port=7)
    app.extensions[CONTAINER].settings.override(providers.Object(fake))
    with app.app_context():
        assert view("a") == ("a", 7)


def test_an_unknown_service() -> None:
    """A view that asks for an unknown service fails at its definition, not at a request."""

    def wrong(thing: object = Provide[providers.Object(1)]) -> None:
        """Ask for a service that no container has."""

    with pytest.raises(TypeError, match=r"wrong asks for a service"):
        inject(wrong)


@pytest.mark.parametrize(
    "path", sorted(Path(api.__path__[0]).glob("*.py")), ids=lambda path: path.name
)
def test_no_view_uses_the_other_inject(path: Path) -> None:
    """No view uses dependency-injector's own inject, which would mix up applications."""
    imported = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "dependency_injector.wiring"
        for alias in node.names
    }
    assert "inject" not in imported
