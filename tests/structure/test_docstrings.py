"""Tests of docstrings: each begins with a verb or with a noun, never with a question word."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.structure.modules import ROOT, sources

QUESTION_WORDS = frozenset(
    ["What", "How", "Whether", "Who", "Whom", "Whose", "Where", "When", "Which", "Why", "Have"]
)  # fmt: skip


def docstrings(tree: ast.Module) -> Iterator[str]:
    """List the docstrings of a module, its classes and functions, and its attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
        if isinstance(node, ast.Module | ast.ClassDef):
            for before, after in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(before, ast.Assign | ast.AnnAssign)
                    and isinstance(after, ast.Expr)
                    and isinstance(after.value, ast.Constant)
                    and isinstance(after.value.value, str)
                ):
                    yield after.value.value


def questions(text: str) -> list[str]:
    """Return the first lines of a module's docstrings that begin with a question word."""
    lines = [docstring.strip().partition("\n")[0] for docstring in docstrings(ast.parse(text))]
    return [line for line in lines if line.split(" ")[0].strip(",.:;") in QUESTION_WORDS]


@pytest.mark.parametrize("folder", ["app", "gateway_shim", "tests"])
def test_docstrings_are_statements(folder: str) -> None:
    """No docstring begins with a question word."""
    found = {path: questions((ROOT / path).read_text()) for path in sources(folder)}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_questions() -> None:
    """The docstrings of a module, of a class, of a function and of an attribute are all read."""
    text = (
        '"""What it is."""\nA = 1\n"""How many."""\n\n'
        'class B:\n    """Whose."""\n    c: int\n    """Why; a reason."""\n\n'
        '    def d(self):\n        """Have it."""\n\n    def e(self):\n        """Return it."""\n'
    )
    assert questions(text) == ["What it is.", "How many.", "Whose.", "Why; a reason.", "Have it."]
