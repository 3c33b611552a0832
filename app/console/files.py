"""``/console/static``: the styles and scripts of the pages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import PurePosixPath

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from app.errors import NotFound
from app.program.data_files import data_files

__all__ = ["blueprint"]

blueprint = Blueprint("console_files", __name__)

# The types of Python's mimetypes depend on the machine.
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@blueprint.get("/console/static/<path:name>")
def send(name: str) -> ResponseReturnValue:
    """Return a file. Browsers may keep it, and ask each time whether it has changed.

    Raises:
        NotFound: there is no such file.
    """
    content = _files().get(name)
    if content is None:
        raise NotFound(f"The console has no file {name}")
    kind = _TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
    response = Response(content, mimetype=kind)
    response.set_etag(_etag(name))
    response.cache_control.no_cache = True
    return response.make_conditional(request)


def _files() -> Mapping[str, bytes]:
    return data_files("app/console/static")


@cache
def _etag(name: str) -> str:
    return hashlib.sha256(_files()[name]).hexdigest()[:32]
