"""docs/frontend.md: its JSON is the JSON of the backend, and its JavaScript works."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.schemas.task_schema import TaskEvent, TaskEventType
from app.watch.event_lines import Message
from gateway_shim.streams.replay.marks import Resync
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT

TEXT = (ROOT / "docs" / "frontend.md").read_text(encoding="utf-8")
DOCUMENTS: list[Any] = [
    json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", TEXT, re.M | re.S)
]
SCRIPTS: dict[str, str] = dict(re.findall(r"^```js\n// (\S+)\n(.*?)^```$", TEXT, re.M | re.S))


def test_task_events() -> None:
    """The page has an example of each type of task event, as the backend writes it."""
    events = [document for document in DOCUMENTS if "event_type" in document]
    for event in events:
        parsed = TaskEvent.model_validate(event)
        exclude = None if parsed.omitted else {"omitted"}
        assert parsed.model_dump(mode="json", exclude=exclude).keys() == event.keys()
        assert Message("task_event", event).is_of_task("d846191f")
    assert {event["event_type"] for event in events} == {str(kind) for kind in TaskEventType}


def test_other_events() -> None:
    """All other examples belong to the three other events."""
    others = [document for document in DOCUMENTS if "event_type" not in document]
    assert [sorted(document) for document in others] == [
        ["version"],
        ["changelog", "version"],
        ["error", "version"],
        ["reason"],
        ["reason"],
    ]


def test_reasons_of_resync() -> None:
    """The page explains each reason of ``resync``, and no others."""
    (table,) = re.findall(r"^   \| `reason` .*\n(?:^   \|.*\n)+", TEXT, re.M)
    reasons = re.findall(r"^   \| `(\w+)` \| \w", table, re.M)
    assert reasons == ["reason", *map(str, Resync)]


def test_links() -> None:
    """The table of contents has an entry for each heading, and no others."""
    headings = [
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", TEXT, re.M)
    ]
    assert re.findall(r"^- \[.*\]\(#(.*)\)$", TEXT, re.M) == headings


def test_every_script_has_a_name() -> None:
    """Every JavaScript example has a name, so that it is checked."""
    assert len(re.findall(r"^```(js|javascript)\b", TEXT, re.M)) == len(SCRIPTS)


@pytest.mark.needs("node")
def test_scripts_work(tmp_path: Path) -> None:
    """The JavaScript examples work in a simulated browser as the text describes."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name, script in SCRIPTS.items():
        (tmp_path / name).write_text(script, encoding="utf-8")
    check = (Path(__file__).parent / "frontend_check.mjs").read_text(encoding="utf-8")
    assert all(f'load("{name}")' in check for name in SCRIPTS)
    (tmp_path / "check.mjs").write_text(check, encoding="utf-8")
    run = subprocess.run(
        ["node", "check.mjs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=6 * TIME_LIMIT,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("ok ") == 9
