"""Fetches the frontend's version document over HTTP."""

from __future__ import annotations

from typing import Any

import gevent

from gateway_shim.errors import AnswerTimeout, RequestFailed
from gateway_shim.http_client.client import HttpAnswer, HttpClient
from gateway_shim.http_client.redirects import BROWSER_REDIRECTS
from gateway_shim.protocol import json_text

__all__ = ["FETCH_SECONDS", "MAX_DOCUMENT_BYTES", "FetchFailed", "fetch_json"]

FETCH_SECONDS = 2.0
"""The time limit of a whole fetch, from looking up the name to the last byte."""

MAX_DOCUMENT_BYTES = 64 * 1024
"""The size of the largest version document."""


class FetchFailed(Exception):
    """The version document could not be fetched. The message may be shown to any browser."""


def fetch_json(url: str, *, seconds: float = FETCH_SECONDS) -> dict[str, Any]:
    """Fetch a JSON object.

    Args:
        url: an http or https URL; redirects are followed.
        seconds: the time limit of the whole fetch, including the name lookup and a body that
            arrives slowly.

    Raises:
        FetchFailed: the document did not come in time, was refused, was too large, or is not a
            JSON object.
    """
    try:
        # The client limits each step; this limits all steps together.
        with (
            gevent.Timeout(seconds),
            HttpClient(redirects=BROWSER_REDIRECTS) as client,
            client.request(
                "GET", url, headers={"Accept": "application/json"}, seconds=seconds
            ) as answer,
        ):
            if answer.status >= 400:
                raise FetchFailed(f"the version document's server answered {answer.status}")
            body = _read(answer)
    except (gevent.Timeout, AnswerTimeout) as exc:
        raise FetchFailed(f"the version document did not come within {seconds:g} s") from exc
    except RequestFailed as exc:
        # Not the exception's own text: it names hosts and URLs, and browsers can read this.
        raise FetchFailed("the version document's server could not be reached") from exc
    return _parse_object(body)


def _read(answer: HttpAnswer) -> bytes:
    body = answer.read(MAX_DOCUMENT_BYTES + 1)
    if len(body) > MAX_DOCUMENT_BYTES:
        raise FetchFailed(f"the version document is larger than {MAX_DOCUMENT_BYTES} bytes")
    return body


def _parse_object(body: bytes) -> dict[str, Any]:
    try:
        document = json_text.loads(body)
    except (ValueError, RecursionError) as exc:
        raise FetchFailed("the version document is not JSON") from exc
    if not isinstance(document, dict):
        raise FetchFailed("the version document is not a JSON object")
    return document
