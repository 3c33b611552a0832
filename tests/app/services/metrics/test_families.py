"""The metrics as values: read, shown, sent and read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from app.services.metrics.families import SampleKey, decode, encode, read_families, text_of
from app.services.metrics_service import MetricsService
from tests.app.services.metrics.exposition import checked


def test_a_counter() -> None:
    """A metric has its name without a suffix; its values have names and labels."""
    registry = CollectorRegistry()
    Counter("a_total", "Text", ["b"], registry=registry).labels("c").inc(2)
    family = read_families(registry)["a"]
    assert (family.name, family.kind, family.help) == ("a", "counter", "Text")
    assert family.values[SampleKey("a_total", (("b", "c"),))] == 2.0


def lasting_lines(text: bytes) -> list[bytes]:
    """Return the lines whose values do not change by themselves from one reading to the next."""
    changing = (b"process_", b"python_gc_")
    return [line for line in text.splitlines() if not line.startswith(changing)]


def test_the_text_is_that_of_the_registry() -> None:
    """Metrics that were sent as JSON are shown exactly as those of a registry."""
    metrics = MetricsService("1.2.3")
    metrics.event_sent("task", "success", 0.001)
    metrics.task_finished('a "task"\n', "completed", 2.0)
    metrics.watch_refusals(lambda: {"limit": 3})
    text, families = metrics.render(), metrics.families()
    sent = decode(json.loads(json.dumps(encode(families))))
    assert sent == families
    assert lasting_lines(text_of(sent)) == lasting_lines(text)
    checked(text_of(sent))


@pytest.mark.parametrize(
    "data",
    [None, 5, {}, [5], [["a", "counter", "b"]], [["a", "counter", "b", [["a", 5, 1.0]]]],
     [["a", "counter", "b", [["a", {}, "x"]]]], [["a", "counter", "b", [["a", {}]]]]],
)  # fmt: skip
def test_something_else(data: Any) -> None:
    """Data of another version of the program is an error, and not a wrong figure."""
    if data == {}:
        assert decode(data) == {}
        return
    with pytest.raises(ValueError, match=r"."):
        decode(data)
