"""The metrics of a process as plain values, which can be sent to another process and added up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

__all__ = ["Families", "Family", "SampleKey", "decode", "encode", "read_families", "text_of"]


class SampleKey(NamedTuple):
    """The name and the labels of one value.

    Args:
        name: the name, with its suffix: ``tasks_total``.
        labels: the labels in alphabetical order.
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Family:
    """The values of one metric.

    Args:
        name: the name without a suffix.
        kind: ``counter``, ``gauge``, ``histogram`` or ``info``.
        help: the text of its HELP line.
        values: the values.
    """

    name: str
    kind: str
    help: str
    values: dict[SampleKey, float] = field(default_factory=dict)

    def without_values(self) -> Family:
        """Return the same metric without any value."""
        return Family(self.name, self.kind, self.help)


Families = dict[str, Family]
"""All metrics of a process by their names, in the order in which they are shown."""


def read_families(registry: CollectorRegistry) -> Families:
    """Return all metrics of a registry."""
    families: Families = {}
    for metric in registry.collect():
        family = Family(metric.name, metric.type, metric.documentation)
        for sample in metric.samples:
            key = SampleKey(sample.name, tuple(sorted(sample.labels.items())))
            family.values[key] = float(sample.value)
        families[family.name] = family
    return families


def text_of(families: Families) -> bytes:
    """Return metrics in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Fixed(families.values()))
    return generate_latest(registry)


def encode(families: Families) -> list[Any]:
    """Return metrics as JSON data."""
    return [
        [
            family.name,
            family.kind,
            family.help,
            [[key.name, dict(key.labels), value] for key, value in family.values.items()],
        ]
        for family in families.values()
    ]


def decode(data: Any) -> Families:
    """Return the metrics of JSON data.

    Args:
        data: what :func:`encode` has returned, perhaps in another version of this program.

    Raises:
        ValueError: the data is something else.
    """
    try:
        families = {
            str(name): Family(
                str(name),
                str(kind),
                str(text),
                {
                    SampleKey(str(key), tuple(sorted(labels.items()))): float(value)
                    for key, labels, value in samples
                },
            )
            for name, kind, text, samples in data
        }
    except (TypeError, AttributeError) as exc:
        raise ValueError(f"these are not metrics: {exc}") from exc
    return families


class _Fixed(Collector):
    """Collects values that are known already."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        for family in self._families:
            metric = Metric(family.name, family.help, family.kind)
            for key, value in family.values.items():
                metric.add_sample(key.name, dict(key.labels), value)
            yield metric
