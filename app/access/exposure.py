"""Decides at which addresses the tasks API, the metrics and the console are served."""

from __future__ import annotations

from enum import StrEnum

from app.access.listening_addresses import is_loopback

__all__ = ["Area", "OpenAreas", "exposure_problem", "parse_areas"]


class Area(StrEnum):
    """A part of the API that is closed to the public by default: a word of ``ALLOW_OPEN``."""

    TASKS = "tasks"
    METRICS = "metrics"
    """The metrics, and the state of the gateway."""


def parse_areas(text: str) -> frozenset[Area]:
    """Parse ``ALLOW_OPEN``: areas, separated by commas.

    Raises:
        ValueError: a word is not an area. The message lists the areas.
    """
    words = {word.strip() for word in text.split(",") if word.strip()}
    unknown = sorted(words - set(Area))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(Area)}; separate with commas")
    return frozenset(map(Area, words))


def exposure_problem(setting: str, address: str, areas: frozenset[Area]) -> str | None:
    """Return why a server outside production must not listen on an address.

    Args:
        setting: the source of the address, such as ``HOST is 0.0.0.0``. The result begins with it.
        address: an IP address or a name.
        areas: the areas that ``ALLOW_OPEN`` names.

    Returns:
        What is wrong and what to set; None if other machines cannot reach the address, or if
        all areas may be open.
    """
    if areas == frozenset(Area) or is_loopback(address):
        return None
    return (
        f"{setting}: other machines could start tasks and read the metrics. Set"
        " FLASK_ENV=production (it needs SSE_CALLBACK_SECRET), or ALLOW_OPEN="
        f"{','.join(Area)} to let everyone do both"
    )


class OpenAreas:
    """The areas that are served at each address.

    Args:
        allowed: the areas of ``ALLOW_OPEN``, which are served at every address.
        admin: address and port of ``ADMIN_BIND``, where every area is served.
        production: whether the other areas are served nowhere else.
        has_password: whether ``SSE_CONSOLE_PASSWORD`` is set.
    """

    def __init__(
        self,
        allowed: frozenset[Area],
        admin: tuple[str, int] | None,
        *,
        production: bool,
        has_password: bool = False,
    ) -> None:
        self._allowed = allowed
        self._admin = admin
        self._production = production
        self._has_password = has_password

    def is_open(self, area: Area, address: str, port: int) -> bool:
        """Return whether an area is served at a listening address.

        Args:
            area: the area.
            address: the IP address of the listening socket; empty for a Unix socket.
            port: the TCP port.
        """
        if area in self._allowed or (address, port) == self._admin:
            return True
        # Outside production, the developer's own machine may use every area: the start is refused
        # if other machines could reach the server. A reload can still change the addresses.
        return not self._production and self._admin is None and is_loopback(address)

    def has_console(self, address: str, port: int) -> bool:
        """Return whether the console is served at a listening address.

        ``ALLOW_OPEN`` does not open the console: whoever may start tasks may not yet close the
        streams of others.

        Args:
            address: the IP address of the listening socket; empty for a Unix socket.
            port: the TCP port.
        """
        if not self.is_place_of_console(address, port):
            return False
        return self._has_password or (not self._production and is_loopback(address))

    def is_place_of_console(self, address: str, port: int) -> bool:
        """Return whether the console could be served at an address: ``ADMIN_BIND`` moves it.

        Args:
            address: as for :meth:`has_console`.
            port: as for :meth:`has_console`.
        """
        return self._admin is None or (address, port) == self._admin
