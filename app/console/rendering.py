"""Makes the pages of the console from their templates.

The templates have an environment of their own: a template of the deployment's with the same name
does not replace one of these, and none is read from a file while the server runs.
"""

from __future__ import annotations

from functools import cache

from flask import Response, request
from jinja2 import DictLoader, Environment, StrictUndefined

from app.console.links import link_to
from app.program.data_files import data_files

__all__ = ["prefers_page", "render", "render_notice"]


def render(template: str, status: int = 200, **values: object) -> Response:
    """Return a page.

    Args:
        template: the template's path in ``app/console/templates``.
        status: the status of the answer.
        values: the values that the template uses. Texts are escaped.
    """
    text = _environment().get_template(template).render(root=link_to("/"), **values)
    return Response(text, status, mimetype="text/html")


def render_notice(status: int, title: str, text: str, *, has_link: bool = False) -> Response:
    """Return a page that says why there is nothing else.

    Args:
        status: the status of the answer.
        title: what has happened.
        text: what to do.
        has_link: whether the page has a link to the console.
    """
    return render("console/notice.html", status, title=title, text=text, has_link=has_link)


def prefers_page() -> bool:
    """Return whether the client of the current request prefers a page to JSON."""
    offered = ["application/json", "text/html"]
    return request.accept_mimetypes.best_match(offered) == "text/html"


@cache
def _environment() -> Environment:
    files = data_files("app/console/templates")
    return Environment(
        loader=DictLoader({path: text.decode() for path, text in files.items()}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
