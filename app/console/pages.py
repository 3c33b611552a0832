"""``/console``: the pages."""

from __future__ import annotations

from dependency_injector.wiring import Provide
from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue

from app.api.injection import inject
from app.console.links import link_to
from app.console.rendering import render
from app.console.session import Sessions
from app.container import ServiceContainer

__all__ = ["PAGES", "blueprint"]

blueprint = Blueprint("console", __name__)

PAGES = {"tasks": "Tasks", "events": "Events", "streams": "Streams", "operations": "Operations"}
"""The pages, by the last part of their paths, and their titles."""


@blueprint.get("/console")
@blueprint.get("/console/")
def show_first() -> ResponseReturnValue:
    """Lead to the first page."""
    return redirect(link_to("/console/tasks"), 303)


@blueprint.get("/console/<any(tasks, events, streams, operations):page>")
@inject
def show(
    page: str, sessions: Sessions = Provide[ServiceContainer.console_sessions]
) -> ResponseReturnValue:
    """Return a page."""
    return render(f"console/{page}.html", page=page, pages=PAGES, has_password=sessions.are_needed)
