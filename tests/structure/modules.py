"""The repository's modules, and the imports between them."""

from __future__ import annotations

import ast
import functools
from collections import deque
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "ROOT",
    "circles",
    "file_of",
    "import_graph",
    "imports_of",
    "module_name",
    "reached_from",
    "sources",
]

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""


def sources(*folders: str) -> list[str]:
    """Return the path of every Python file in some folders, relative to the repository."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts
    )


def module_name(path: str) -> str:
    """Return the dotted name of a module; for ``__init__.py``, the name of its package."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def file_of(module: str, root: Path = ROOT) -> Path | None:
    """Return the file of a module below ``root``; None if there is none."""
    path = root / Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imports_of(path: Path, package: str, *, for_types: bool = True) -> Iterator[tuple[str, str]]:
    """List every import of a file, wherever in the file it is.

    Args:
        path: the file.
        package: the dotted name of the file's package.
        for_types: False leaves out the imports below ``if TYPE_CHECKING:``.

    Yields:
        The full name of a module, and the name that is imported from it; the second is empty for
        ``import module``.
    """
    for node in _imports_in(path.read_text(), for_types):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        else:
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            yield from ((source, alias.name) for alias in node.names)


@functools.cache  # a module is reached from many others
def _imports_in(text: str, for_types: bool) -> list[ast.Import | ast.ImportFrom]:
    nodes = _nodes(ast.parse(text), for_types)
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def _nodes(tree: ast.AST, for_types: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr):
            continue  # an expression has no imports
        is_guard = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if is_guard and not for_types:
            continue
        yield node
        yield from _nodes(node, for_types)


def reached_from(module: str, root: Path = ROOT) -> dict[str, list[str]]:
    """Return everything that importing a module imports, directly and indirectly.

    Modules below ``root`` are followed; all other modules are only named. Of the packages around a
    module, the imports below ``if TYPE_CHECKING:`` do not count, because these packages are run,
    but their names are not used.

    Returns:
        The name of each module, with the chain of imports that leads to it.
    """
    chains = {module: [module]}
    waiting = deque([(module, True)])
    while waiting:
        name, for_types = waiting.popleft()
        path = file_of(name, root)
        if path is None:
            continue
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        found = []
        for source, imported in imports_of(path, package, for_types=for_types):
            found.append((source, True))
            if imported:  # the imported name can be a module, too
                found.append((f"{source}.{imported}", True))
        # Importing a.b.c runs a and a.b, too.
        found += [(name.rsplit(".", count)[0], False) for count in range(1, name.count(".") + 1)]
        for imported, explicitly in found:
            if imported not in chains:
                chains[imported] = [*chains[name], imported]
                waiting.append((imported, explicitly))
    return chains


def import_graph(*folders: str, root: Path = ROOT) -> dict[str, set[str]]:
    """Return which modules each module of some folders imports from these folders.

    Imports inside of functions and below ``if TYPE_CHECKING:`` count, too.
    """
    files = {
        module_name(path.relative_to(root).as_posix()): path
        for folder in folders
        for path in sorted((root / folder).rglob("*.py"))
    }
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        imported = {
            f"{source}.{what}" if f"{source}.{what}" in files else source
            for source, what in imports_of(path, package)
        }
        graph[name] = (imported & files.keys()) - {name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other in a circle."""
    reachable: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in graph[waiting.pop()] - seen:
                seen.add(name)
                waiting.append(name)
        reachable[start] = seen
    groups = {
        tuple(sorted(other for other in reachable[name] if name in reachable[other]))
        for name in graph
        if name in reachable[name]
    }
    return [list(group) for group in sorted(groups)]
