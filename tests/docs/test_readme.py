"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.tasks.base import BaseTask, TaskProgressHandle

README = Path(__file__).resolve().parents[2] / "README.md"


def test_task_of_the_readme_works() -> None:
    """The example task can be made, takes its parameters and gives its result."""
    source = re.search(r"```python\n# mytasks.py\n(.*?)```", README.read_text(), re.S)
    assert source
    names: dict[str, object] = {"__name__": "mytasks"}
    exec(source[1], names)
    kind = names["Greet"]
    assert isinstance(kind, type)
    assert issubclass(kind, BaseTask)
    assert kind.name == "greet"
    task = kind()

    class Progress(TaskProgressHandle):
        def __init__(self) -> None:
            self.sent: list[tuple[str, float]] = []

        def send_progress(self, text: str, value: float) -> None:
            self.sent.append((text, value))

    progress = Progress()
    result = task.execute(progress, **task.validate_params({"name": "Ada"}))
    assert result.model_dump() == {"text": "Hello, Ada"}
    assert progress.sent == [("Thinking", 0.5)]


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README.read_text()))
def test_links_lead_somewhere(target: str) -> None:
    """Every link of the README is a file of the repository."""
    assert (README.parent / target).exists()
