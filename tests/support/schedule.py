"""The order in which test processes that run side by side take the test modules. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

__all__ = ["mixed"]

T = TypeVar("T")


def mixed(
    tests: Iterable[T],
    module_of: Callable[[T], str],
    *,
    first: Sequence[str],
    waits: Callable[[str], bool],
) -> list[T]:
    """Spread the modules that mostly wait evenly among those that mostly compute.

    Tests that wait for servers and browsers leave the processors idle, unless tests that compute
    run at the same time. The order of the tests of one module does not change.

    Args:
        tests: the tests, module by module.
        module_of: returns the path of a test's module.
        first: the modules that take longest. They come first, so that the end does not wait for
            one of them.
        waits: returns whether the tests of a module mostly wait.
    """
    modules: dict[str, list[T]] = {}
    for test in tests:
        modules.setdefault(module_of(test), []).append(test)
    early = [name for name in first if name in modules]
    others = [name for name in modules if name not in early]
    ranked = sorted(
        (place, name)
        for kind in (True, False)
        for place, name in _spread([name for name in others if waits(name) is kind])
    )
    return [test for name in [*early, *(name for _, name in ranked)] for test in modules[name]]


def _spread(names: Sequence[str]) -> list[tuple[float, str]]:
    """Give the names places between 0 and 1 at equal distances."""
    return [((number + 0.5) / len(names), name) for number, name in enumerate(names)]
