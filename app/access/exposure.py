"""Decides at which addresses the tasks API and the metrics are served, and to whom."""

from __future__ import annotations

from enum import StrEnum

from app.access.listening_addresses import is_loopback

__all__ = ["Area", "OpenAreas", "exposure_problem", "parse_areas"]


class Area(StrEnum):
    """A part of the API that is not for everybody; a word of ``ALLOW_OPEN``."""

    TASKS = "tasks"
    METRICS = "metrics"


def parse_areas(text: str) -> frozenset[Area]:
    """Read ``ALLOW_OPEN``: areas, separated by commas.

    Raises:
        ValueError: a word is not an area; says which words are.
    """
    words = {word.strip() for word in text.split(",") if word.strip()}
    unknown = sorted(words - set(Area))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(Area)}; separate with commas")
    return frozenset(map(Area, words))


def exposure_problem(setting: str, address: str, areas: frozenset[Area]) -> str | None:
    """Say why a server outside production must not listen at an address.

    Args:
        setting: what says the address, such as ``HOST is 0.0.0.0``; the beginning of the answer.
        address: an IP address or a name.
        areas: what ``ALLOW_OPEN`` allows.

    Returns:
        What is wrong and what to set; None if other machines cannot reach the address, or if
        all areas may be open.
    """
    if areas == frozenset(Area) or is_loopback(address):
        return None
    return (
        f"{setting}: other machines could start tasks and read the metrics. Set"
        " FLASK_ENV=production (it needs SSE_CALLBACK_SECRET), or ALLOW_OPEN="
        f"{','.join(Area)} to let everybody do both"
    )


class OpenAreas:
    """Says at which address an area is served.

    Args:
        allowed: what ``ALLOW_OPEN`` names: served at every address.
        admin: address and port of ``ADMIN_BIND``: every area is served there.
        production: whether nothing else is served anywhere.
    """

    def __init__(
        self, allowed: frozenset[Area], admin: tuple[str, int] | None, *, production: bool
    ) -> None:
        self._allowed = allowed
        self._admin = admin
        self._production = production

    def is_open(self, area: Area, address: str, port: int) -> bool:
        """Return whether requests for an area are answered at a listening address.

        Args:
            area: the area.
            address: the IP address that the server listens at; of a Unix socket empty.
            port: the TCP port.
        """
        if area in self._allowed or (address, port) == self._admin:
            return True
        # Outside production the developer's own machine may: there, the start was refused if other
        # machines could reach the server. A reload can still change the addresses.
        return not self._production and self._admin is None and is_loopback(address)
