"""Passes to views the services of the application that answers the request."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from flask import current_app

from app.container import ServiceContainer

__all__ = ["CONTAINER", "inject"]

CONTAINER = "container"
"""The key of an application's service container: ``application.extensions[CONTAINER]``."""

P = ParamSpec("P")
R = TypeVar("R")


def inject(view: Callable[P, R]) -> Callable[P, R]:
    """Fill a view's parameters ``= Provide[ServiceContainer.name]`` at each call.

    The services come from the container of Flask's current application. The ``inject`` of
    dependency-injector does not fit views: its ``container.wire`` binds the parameters of a
    module's functions to one container, so all applications of a process would use the services
    of the newest application.

    Args:
        view: the function. Call the result inside an application context.

    Raises:
        TypeError: a parameter asks for a service that :class:`ServiceContainer` does not have.
    """
    wanted = {
        parameter.name: _name_of(parameter.default.provider, view)
        for parameter in inspect.signature(view).parameters.values()
        if getattr(parameter.default, "__IS_MARKER__", False)
    }

    @functools.wraps(view)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        container = current_app.extensions[CONTAINER]
        for parameter, name in wanted.items():
            if parameter not in kwargs:
                kwargs[parameter] = getattr(container, name)()
        return view(*args, **kwargs)

    return call


def _name_of(provider: Any, view: Callable[..., Any]) -> str:
    for name, candidate in ServiceContainer.providers.items():
        if candidate is provider:
            return str(name)
    raise TypeError(f"{view.__qualname__} asks for a service that ServiceContainer does not have")
