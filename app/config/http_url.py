"""The type of a setting that is a URL of another server."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from gateway_shim.server.addresses import is_http_url

__all__ = ["HttpUrl"]


def _check_http_url(value: str) -> str:
    if " " in value or not is_http_url(value):
        raise ValueError("must be a URL such as http://host:port or https://host")
    return value


HttpUrl = Annotated[str, AfterValidator(_check_http_url)]
"""An http or https URL, as a field of the settings."""
