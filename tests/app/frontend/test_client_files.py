"""The browser client, as the backend serves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import MakeApp
from tests.support.processes.server import ROOT

PAGE = "https://app.example"
FILES = sorted((ROOT / "gateway_shim" / "static").iterdir())
TYPES = {".js": "text/javascript; charset=utf-8", ".ts": "text/plain; charset=utf-8"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files(make_app: MakeApp, file: Path) -> None:
    """A file has the media type that browsers require, and a cache asks for it each time."""
    response = make_app().test_client().get(f"/static/{file.name}")
    assert response.status_code == 200
    assert response.data == file.read_bytes()
    assert response.content_type == TYPES[file.suffix]
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_cached_file(make_app: MakeApp) -> None:
    """A browser that has the file gets 304; a browser that has another version gets the file."""
    client = make_app().test_client()
    etag = client.get("/static/sse-client.js").headers["ETag"]
    answer = client.get("/static/sse-client.js", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == etag
    assert client.get("/static/sse-client.d.ts").headers["ETag"] != etag
    answer = client.get("/static/sse-client.js", headers={"If-None-Match": '"old"'})
    assert answer.status_code == 200


def test_head(make_app: MakeApp) -> None:
    """HEAD gets the headers of GET, and no body."""
    client = make_app().test_client()
    got, head = (client.open("/static/sse-client.js", method=m) for m in ("GET", "HEAD"))
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers == got.headers


def test_pages_of_other_origins(make_app: MakeApp) -> None:
    """A page of a listed origin may import the module; other pages may not."""
    client = make_app(cors_origins=PAGE).test_client()
    answer = client.get("/static/sse-client.js", headers={"Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    answer = client.get("/static/sse-client.js", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/static/", "/static/x.js", "/static/../static/sse-client.jsx"])
def test_no_other_file(make_app: MakeApp, path: str) -> None:
    """Nothing else is served."""
    assert make_app().test_client().get(path).status_code == 404


def test_in_production(make_app: MakeApp) -> None:
    """Pages load the client in production, too."""
    app = make_app(flask_env="production", sse_callback_secret="s" * 32)
    assert app.test_client().get("/static/sse-client.js").status_code == 200
