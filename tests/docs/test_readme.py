"""README.md and the pages that it leads to agree with the code and with each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.config import Settings
from app.tasks.base import BaseTask, TaskProgressHandle

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *("docs/architecture.md", "docs/benchmarks.md", "docs/tasks.md"),
    *("docs/frontend.md", "docs/events.md", "docs/operations.md"),
)


def _section(title: str) -> str:
    """Return the text of a section of the README."""
    found = re.search(rf"^## {title}\n(.*?)^## ", README.read_text(), re.M | re.S)
    assert found, title
    return found[1]


def _links() -> list[tuple[str, str]]:
    """Return each page with each of its links and pictures, anchors included."""
    return [
        (page, target)
        for page in PAGES
        for target in re.findall(
            r"""(?:\]\(|src="|srcset=")([^):"]+)[)"]""", (ROOT / page).read_text()
        )
    ]


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _paths() -> list[tuple[str, tuple[str, ...]]]:
    """Return each path that architecture.md names, with the folders named on the same line."""
    lines = (ROOT / "docs/architecture.md").read_text().splitlines()
    named = [tuple(re.findall(r"`([a-z_]+/[a-z_./]*)`", line)) for line in lines]
    return sorted({(path, paths) for paths in named for path in paths})


def test_task_of_the_readme_works() -> None:
    """The example task can be made, takes its parameters and returns its result."""
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


def test_the_settings_of_the_readme_exist() -> None:
    """The README names at most five settings, and each default that it gives is the real one."""
    items = re.findall(r"^- `([A-Z_]+)`: (.+)$", _section("Settings"), re.M)
    assert 1 <= len(items) <= 5
    for name, text in items:
        field = Settings.model_fields[name.lower()]
        default = re.search(r"The default is `(.+?)`", text)
        assert default is None or default[1] == str(field.default)


@pytest.mark.parametrize(("page", "target"), _links())
def test_links_lead_somewhere(page: str, target: str) -> None:
    """Every link or picture is a file of the repository, and its anchor is a heading there."""
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    assert file.exists()
    assert not anchor or anchor in _anchors(file)


@pytest.mark.parametrize(("path", "beside"), _paths())
def test_paths_of_the_architecture_exist(path: str, beside: tuple[str, ...]) -> None:
    """Every path is in the repository, in ``gateway_shim``, or in a folder of the same line."""
    assert any((ROOT / folder / path).exists() for folder in ("", "gateway_shim", *beside))


def test_the_readme_is_short() -> None:
    """The README has at most 200 lines, and architecture.md at most 130."""
    assert len(README.read_text().splitlines()) <= 200
    assert len((ROOT / "docs/architecture.md").read_text().splitlines()) <= 130


def test_the_hot_loop_is_where_the_architecture_says() -> None:
    """The page links to the module of the hot loop, and the README links to the page."""
    page = (ROOT / "docs/architecture.md").read_text()
    link = re.search(r"\[`(\w+)` in ([\w/.]+)\]", page)
    assert link
    assert f"def {link[1]}(" in (ROOT / link[2]).read_text()
    assert "(docs/architecture.md)" in README.read_text()
