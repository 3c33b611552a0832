"""The areas of the API that are served at each address."""

from __future__ import annotations

import pytest

from app.access.exposure import Area, OpenAreas, exposure_problem, parse_areas

ADMIN = ("127.0.0.1", 5001)
BOTH = frozenset(Area)
NONE: frozenset[Area] = frozenset()


@pytest.mark.parametrize(
    ("text", "areas"),
    [
        ("", NONE),
        (" , ", NONE),
        ("tasks", {Area.TASKS}),
        (" metrics ,tasks,", BOTH),
        ("tasks,tasks", {Area.TASKS}),
    ],
)
def test_the_setting(text: str, areas: set[Area]) -> None:
    """The setting is words separated by commas; spaces and repetitions do not matter."""
    assert parse_areas(text) == areas


@pytest.mark.parametrize("text", ["all", "*", "Tasks", "tasks;metrics", "tasks metrics"])
def test_a_word_that_is_not_an_area(text: str) -> None:
    """The error lists the areas."""
    with pytest.raises(ValueError, match="is not one of tasks, metrics; separate with commas"):
        parse_areas(text)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.1.2.3", "203.0.113.1", "2001:db8::1"])
def test_an_address_that_other_machines_reach(address: str) -> None:
    """A server may listen there only if both areas are open."""
    for areas in (NONE, frozenset({Area.TASKS}), frozenset({Area.METRICS})):
        problem = exposure_problem(f"HOST is {address}", address, areas)
        assert problem is not None
        assert problem.startswith(f"HOST is {address}: ")
        assert "ALLOW_OPEN=tasks,metrics" in problem
    assert exposure_problem("", address, BOTH) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "localhost", ""])
def test_an_address_that_only_this_machine_reaches(address: str) -> None:
    """Loopback and Unix sockets need no open area."""
    assert exposure_problem("", address, NONE) is None


@pytest.mark.parametrize("area", Area)
@pytest.mark.parametrize(
    ("allowed", "admin", "production", "address", "port", "is_open"),
    [
        # On the developer's machine every area is open, unless there is an admin address.
        (NONE, None, False, "127.0.0.1", 5000, True),
        (NONE, None, False, "", 0, True),
        (NONE, None, False, "0.0.0.0", 5000, False),
        (NONE, ADMIN, False, "127.0.0.1", 5000, False),
        (NONE, ADMIN, False, *ADMIN, True),
        # In production only the admin address is open.
        (NONE, None, True, "127.0.0.1", 5000, False),
        (NONE, None, True, "", 0, False),
        (NONE, ADMIN, True, "0.0.0.0", 5000, False),
        (NONE, ADMIN, True, *ADMIN, True),
        (NONE, ADMIN, True, "127.0.0.1", 5002, False),
        # An area of ALLOW_OPEN is open everywhere.
        (BOTH, None, True, "0.0.0.0", 5000, True),
        (BOTH, ADMIN, True, "0.0.0.0", 5000, True),
        (BOTH, ADMIN, True, *ADMIN, True),
        (BOTH, None, False, "0.0.0.0", 5000, True),
    ],
)
def test_where_an_area_is_open(
    area: Area,
    allowed: frozenset[Area],
    admin: tuple[str, int] | None,
    production: bool,
    address: str,
    port: int,
    is_open: bool,
) -> None:
    """Production serves an area at the admin address, or if ALLOW_OPEN names it."""
    areas = OpenAreas(allowed, admin, production=production)
    assert areas.is_open(area, address, port) is is_open


def test_one_word_opens_one_area() -> None:
    """A word opens its own area only."""
    areas = OpenAreas(frozenset({Area.TASKS}), None, production=True)
    assert areas.is_open(Area.TASKS, "0.0.0.0", 80)
    assert not areas.is_open(Area.METRICS, "0.0.0.0", 80)


@pytest.mark.parametrize("allowed", [NONE, BOTH])
@pytest.mark.parametrize(
    ("admin", "production", "has_password", "address", "port", "has_console"),
    [
        # Without a password, only the developer's own machine has the console.
        (None, False, False, "127.0.0.1", 5000, True),
        (None, False, False, "", 0, True),
        (None, False, False, "0.0.0.0", 5000, False),
        (None, True, False, "127.0.0.1", 5000, False),
        (None, True, False, "", 0, False),
        # With a password, it is everywhere.
        (None, False, True, "0.0.0.0", 5000, True),
        (None, True, True, "0.0.0.0", 5000, True),
        (None, True, True, "", 0, True),
        # An admin address moves it, and opens it to nobody.
        (ADMIN, False, False, *ADMIN, True),
        (ADMIN, False, False, "127.0.0.1", 5000, False),
        (ADMIN, True, False, *ADMIN, False),
        (ADMIN, True, True, *ADMIN, True),
        (ADMIN, True, True, "0.0.0.0", 5000, False),
        (ADMIN, True, True, "", 0, False),
        (("10.0.0.1", 81), False, False, "10.0.0.1", 81, False),
        (("10.0.0.1", 81), False, True, "10.0.0.1", 81, True),
    ],
)
def test_where_the_console_is(
    allowed: frozenset[Area],
    admin: tuple[str, int] | None,
    production: bool,
    has_password: bool,
    address: str,
    port: int,
    has_console: bool,
) -> None:
    """The console needs loopback outside production, or a password; ALLOW_OPEN changes nothing."""
    areas = OpenAreas(allowed, admin, production=production, has_password=has_password)
    assert areas.has_console(address, port) is has_console
    assert areas.is_place_of_console(address, port) is (admin in (None, (address, port)))
