"""Reads the text format of Prometheus as strictly as promtool."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["checked"]

_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total", "")}


def checked(text: bytes) -> dict[str, float]:
    """Return the value of each series, by its name and labels as they are written.

    Fails if a series, a HELP or a TYPE occurs twice, if the samples of a metric are apart, or if
    the buckets of a histogram are out of order.
    """
    lines = text.decode().splitlines()
    comments = [line.split(" ", 3)[1:3] for line in lines if line.startswith("#")]
    assert len({tuple(comment) for comment in comments}) == len(comments), "HELP or TYPE twice"
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(set(series)) == len(series), "a series twice"
    current, kinds = (
        "",
        {line.split(" ")[2]: line.split(" ")[3] for line in lines if "# TYPE" in line},
    )
    for line in lines:
        if line.startswith("# HELP"):
            current = line.split(" ")[2]
        elif not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            suffixes = _SUFFIXES.get(kinds[current], ("",))
            assert name in {current + suffix for suffix in suffixes}, (line, current)
    values = {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"
    }
    _check_histograms(text.decode())
    return values


def _check_histograms(text: str) -> None:
    for family in text_string_to_metric_families(text):
        if family.type != "histogram":
            continue
        last: dict[tuple[tuple[str, str], ...], tuple[float, float]] = {}
        for sample in family.samples:
            labels = _without_bound(sample.labels)
            if sample.name.endswith("_bucket"):
                bound = float(sample.labels["le"])
                before = last.get(labels, (float("-inf"), 0.0))
                assert bound > before[0], f"a bucket of {family.name} is out of order"
                assert sample.value >= before[1], f"the buckets of {family.name} do not grow"
                last[labels] = bound, sample.value
            elif sample.name.endswith("_count"):
                assert sample.value == last[labels][1], f"the count of {family.name} is wrong"


def _without_bound(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in labels.items() if name != "le"))
